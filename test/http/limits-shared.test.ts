import { describe, expect, it } from 'vitest'
import { DEFAULT_LIMITS, openLimiter, type LimitName } from '../../src/http/limits.js'
import { memoryCounter } from '../../src/storage/memory-counter.js'
import { addAccount, send, startRegistry } from '../support/registry.js'

const few = { ...DEFAULT_LIMITS, reads: { points: 2, seconds: 600 }, writes: { points: 2, seconds: 600 } }

describe('openLimiter', () => {
  it('counts each limit and each key by itself, says how much is left, and when to come again', async () => {
    const refused: LimitName[] = []
    const limiter = openLimiter(
      few,
      (_, rate) => memoryCounter(rate),
      (name) => refused.push(name),
    )
    expect(await limiter('reads', 'a')).toMatchObject({
      'RateLimit-Limit': '2',
      'RateLimit-Remaining': '1',
      'RateLimit-Policy': '"reads";q=2;w=600',
    })
    await limiter('reads', 'a')
    await limiter('reads', 'b')
    await limiter('writes', 'a')
    await expect(limiter('reads', 'a')).rejects.toMatchObject({
      code: 'rate-limited',
      headers: { 'RateLimit-Remaining': '0', 'Retry-After': expect.stringMatching(/^[1-9]\d*$/) as string },
    })
    expect(refused).toEqual(['reads'])
  })

  it('shares what one store counts', async () => {
    const counters = new Map<string, ReturnType<typeof memoryCounter>>()
    const open = (name: string, rate: Parameters<typeof memoryCounter>[0]) => {
      const counter = counters.get(name) ?? memoryCounter(rate)
      counters.set(name, counter)
      return counter
    }
    const [one, two] = [openLimiter(few, open), openLimiter(few, open)]
    await one('writes', 'a')
    await two('writes', 'a')
    await expect(one('writes', 'a')).rejects.toMatchObject({ code: 'rate-limited' })
  })
})

describe('over the wire', () => {
  it.runIf(process.env['TEST_ENGINE'] === 'postgres')(
    'counts for all processes together, where several may be',
    async () => {
      const at = await startRegistry()
      try {
        const { store } = at.registry
        const openOne = () => openLimiter(few, (name, rate) => store.counter(name, rate))
        await openOne()('writes', 'a')
        await openOne()('writes', 'a')
        await expect(openOne()('writes', 'a')).rejects.toMatchObject({ code: 'rate-limited' })
        await openOne()('writes', 'b')
      } finally {
        await at.close()
      }
    },
  )

  it('whatever has no limit of its own counts as a read, of an account or of an address', async () => {
    const at = await startRegistry({ overrides: { limits: { reads: few.reads } } })
    try {
      const reader = await addAccount(at, 'reader', ['auditor'])
      const statuses = async (get: () => Promise<{ status: number }>) => {
        const found = []
        for (let i = 0; i < 3; i++) found.push((await get()).status)
        return found
      }
      expect(await statuses(() => send(at.url, 'GET', '/v1/servers'))).toEqual([200, 200, 429])
      expect(await statuses(() => reader.get('/v1/audit'))).toEqual([200, 200, 429])
      const refused = await send(at.url, 'GET', '/v1/servers')
      expect([refused.body.code, refused.headers.get('retry-after')]).toEqual([
        'rate-limited',
        expect.stringMatching(/^[1-9]\d*$/),
      ])
      // What every host fetches is not counted.
      expect(await statuses(() => send(at.url, 'GET', '/v1/status'))).toEqual([200, 200, 200])
    } finally {
      await at.close()
    }
  })
})
