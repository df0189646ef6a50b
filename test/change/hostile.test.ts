import { compareManifests, compareTools } from 'countersign/change'
import {
  checkManifest,
  formatManifest,
  MAX_MANIFEST_BYTES,
  parseManifest,
  type JsonObject,
  type JsonValue,
} from 'countersign/core'
import { describe, expect, it } from 'vitest'
import { openDoc } from '../../client/src/change/places.js'
import { openBook } from '../../client/src/change/ledger.js'
import { compareSchemas } from '../../client/src/change/schema/compare.js'
import { MAX_STEPS, openWork } from '../../client/src/change/work.js'
import { manifest, tool } from './manifest.js'

/** Compares two schemas and says how many steps it took. Steps are counted, not seconds. */
function steps(
  a: JsonObject,
  b: JsonObject,
  limit = MAX_STEPS,
): { spent: number; level: string; kinds: string[] } {
  const book = openBook([])
  const work = openWork(limit)
  compareSchemas(a, b, {
    side: 'input',
    ledger: book.of('tool t'),
    work,
    before: openDoc(a, [], false),
    after: openDoc(b, [], true),
  })
  const { class: level, changes } = book.close()
  return { spent: work.spent, level, kinds: changes.map(({ kind }) => kind) }
}

const object = (properties: JsonObject): JsonObject => ({ type: 'object', properties })

/** Every definition refers twice to the next: written out it has 2 to the power of `depth` schemas. */
function bomb(depth: number, leaf: JsonObject): JsonObject {
  const $defs: JsonObject = { [`d${depth}`]: leaf }
  for (let i = 0; i < depth; i++) {
    const next = { $ref: `#/$defs/d${i + 1}` }
    $defs[`d${i}`] = object({ a: next, b: next })
  }
  return { ...object({ a: { $ref: '#/$defs/d0' } }), $defs }
}

describe('hostile schemas', () => {
  it('a bomb of references is looked at once a pair', () => {
    const { spent, level, kinds } = steps(bomb(60, { type: 'string' }), bomb(60, { type: 'integer' }))
    expect([level, kinds]).toEqual(['widened', ['type']])
    expect(spent).toBeLessThan(1000)
  })

  it('a chain of references a thousand long needs no deeper stack', () => {
    const chain = (leaf: string): JsonObject => {
      const $defs: JsonObject = { d3000: { type: leaf } }
      for (let i = 0; i < 3000; i++) $defs[`d${i}`] = object({ a: { $ref: `#/$defs/d${i + 1}` } })
      return { ...object({ a: { $ref: '#/$defs/d0' } }), $defs }
    }
    expect(steps(chain('string'), chain('integer'))).toMatchObject({ level: 'widened', kinds: ['type'] })
  })

  it('schemas that lead to themselves, directly and in a circle, come to an end', () => {
    const self = (more: JsonObject): JsonObject => ({
      ...object({ a: { $ref: '#/$defs/a' }, b: { $ref: '#/$defs/b' }, c: { $ref: '#' } }),
      $defs: { a: { $ref: '#/$defs/a' }, b: { $ref: '#/$defs/c' }, c: { $ref: '#/$defs/b', ...more } },
    })
    expect(steps(self({}), self({ description: 'x' })).level).toBe('text')
    expect(steps(self({}), self({ not: { $ref: '#' } })).spent).toBeLessThan(200)
  })

  it('two rings of lengths without a common divisor: the square of their size, then the limit', () => {
    const ring = (length: number, leaf: string): JsonObject => {
      const $defs: JsonObject = {}
      for (let i = 0; i < length; i++) {
        const next = { $ref: `#/$defs/d${(i + 1) % length}` }
        $defs[`d${i}`] = i === length - 1 ? { ...object({ a: next }), title: leaf } : object({ a: next })
      }
      return { ...object({ a: { $ref: '#/$defs/d0' } }), $defs }
    }
    const { spent, level, kinds } = steps(ring(1999, 'x'), ring(2003, 'y'), 50_000)
    expect([level, kinds.includes('too-complex')]).toEqual(['dangerous', true])
    expect(spent).toBeLessThanOrEqual(50_001)
  })

  it('many references to one large list cost their number, not its size', () => {
    const large = { enum: Array.from({ length: 5000 }, (_, i) => `v${i}`) }
    const many = (values: JsonObject): JsonObject => ({
      ...object(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`p${i}`, { $ref: '#/$defs/v' }]))),
      $defs: { v: values },
    })
    const { spent, kinds } = steps(many(large), many({ enum: [...large.enum, 'one more'] }))
    expect(kinds).toEqual(['values'])
    expect(spent).toBeLessThan(40_000)
  })

  it('never reads what a remote reference names', () => {
    const remote = (description: string): JsonObject => ({
      name: 't',
      description,
      inputSchema: object({ p: { $ref: 'http://127.0.0.1:9/schema.json' } }),
    })
    expect(compareTools(remote('a'), remote('b'))).toMatchObject({ class: 'text' })
  })
})

describe('manifests at their limit', () => {
  /** As many tools with as much schema as fit. */
  function full(leaf: JsonValue, size: number): ReturnType<typeof checkManifest> {
    const properties = Object.fromEntries(Array.from({ length: size }, (_, i) => [`p${i}`, leaf]))
    const tools = Array.from({ length: 900 }, (_, i) =>
      tool(`t${i}`, { inputSchema: { type: 'object', properties } }),
    )
    return parseManifest(formatManifest(manifest({ tools })))
  }

  it('lists the worst, counts the rest, and takes steps in proportion', () => {
    const [before, after] = [
      full({ title: 'a', type: 'string' }, 100),
      full({ title: 'b', type: 'number' }, 100),
    ]
    expect(formatManifest(after).length).toBeGreaterThan(MAX_MANIFEST_BYTES * 0.7)
    const { class: level, changes, more } = compareManifests(before, after)
    expect(level).toBe('widened')
    expect(changes.length).toBe(200)
    expect(changes.length + more).toBe(900 * 100 * 2)
    expect(JSON.stringify(changes).length).toBeLessThan(200_000)
  })

  it('a single dangerous change is never pushed off the list', () => {
    const [before, after] = [full({ title: 'a' }, 60), full({ title: 'b' }, 60)]
    const hidden = checkManifest({
      ...(JSON.parse(new TextDecoder().decode(formatManifest(after))) as JsonObject),
      remotes: [{ type: 'sse', url: 'https://evil.dev/' }],
    })
    const { class: level, changes } = compareManifests(before, hidden)
    expect(level).toBe('dangerous')
    expect(changes[0]).toMatchObject({ class: 'dangerous', item: 'server' })
    expect(changes.map(({ kind }) => kind)).toContain('remote')
  })
})
