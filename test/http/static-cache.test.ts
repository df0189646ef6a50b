import { describe, expect, it } from 'vitest'
import { openCache } from '../../src/http/static/cache.js'
import {
  IMMUTABLE,
  makeDocument,
  smallDocument,
  TEXT,
  type Document,
} from '../../src/http/static/document.js'

const SHAPE = { route: '/documents/:name', type: TEXT, cache: IMMUTABLE } as const

describe('what is kept of a document', () => {
  const heldBy = ({ plain, gzip }: Document): number[] =>
    [plain, gzip].flatMap((variant) => (variant === undefined ? [] : [variant.body.buffer.byteLength]))
  const lengthsOf = ({ plain, gzip }: Document): number[] =>
    [plain, gzip].flatMap((variant) => (variant === undefined ? [] : [variant.body.length]))

  it.each([
    ['a part of something larger', Buffer.alloc(8192, 'a').subarray(0, 32)],
    ['a text that shares its memory with others', Buffer.from('a short text')],
    ['a text that packs well', Buffer.from('a text that says the same '.repeat(100))],
  ])('%s: its own bytes alone', async (_, body) => {
    for (const made of [
      await makeDocument(body, { ...SHAPE, compress: true }),
      smallDocument(body, { ...SHAPE, compress: true }),
    ]) {
      expect(heldBy(made)).toEqual(lengthsOf(made))
      expect(Buffer.from(made.plain.body).equals(body)).toBe(true)
    }
  })
})

describe('a cache that is full', () => {
  const SIZE = 100_000
  const document = (about: readonly string[] = []) => makeDocument(Buffer.alloc(SIZE), SHAPE, about)
  const room = (documents: number): number => documents * (SIZE + 4096)

  it('forgets what nobody asked for, and keeps what is asked for', async () => {
    const cache = openCache(room(4))
    for (let i = 0; i < 40; i++) {
      await cache.make(`once-${i}`, () => document())
      await cache.make('popular', () => document())
      expect([i, cache.get('popular') === undefined]).toEqual([i, false])
    }
    expect(cache.get('once-0')).toBeUndefined()
    expect(cache.get('once-39')).toBeDefined()
  })

  it('forgets something even when everything was asked for', async () => {
    const cache = openCache(room(4))
    for (let i = 0; i < 20; i++) {
      await cache.make(`${i}`, () => document())
      for (let known = 0; known <= i; known++) cache.get(`${known}`)
    }
    const kept = Array.from({ length: 20 }, (_, i) => cache.get(`${i}`)).filter(
      (found) => found !== undefined,
    )
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.length).toBeLessThanOrEqual(4)
  })

  it('and still knows what is touched', async () => {
    const cache = openCache(room(4))
    for (let i = 0; i < 12; i++) {
      await cache.make(`${i}`, () => document([`manifest:${i}`]))
      cache.get('8')
    }
    expect([cache.get('8') === undefined, cache.holdsTouchable()]).toEqual([false, true])
    cache.touch(new Set(['manifest:8']))
    expect(cache.get('8')).toBeUndefined()
    cache.touchAll()
    expect(cache.holdsTouchable()).toBe(false)
  })
})
