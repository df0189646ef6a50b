import { describe, expect, it } from 'vitest'
import { freshStore, START, type StoreFactory } from './contract-support.js'
import type { IdempotentState, KeptAnswer } from '../../src/storage/store.js'

const LEASE = 60_000
const DAY = 86_400_000
const answer: KeptAnswer = { status: 201, headers: { location: '/v1/x' }, body: '{"text":"\\u0000 and \\n"}' }

function runnerOf(state: IdempotentState): string {
  if (state.state !== 'taken') throw new Error(`the key is ${state.state}`)
  return state.runner
}

/** Keys of repeated requests. */
export function idempotencyContract(name: string, open: StoreFactory): void {
  describe(`store contract: ${name}: idempotency`, () => {
    const at = freshStore(open)
    const { store } = at
    const take = (key = 'k1', fingerprint = 'f1') =>
      store().takeIdempotencyKey(key, fingerprint, at.clock + LEASE)

    it('gives a key to one of many who come at once', async () => {
      const states = await Promise.all(Array.from({ length: 8 }, () => take()))
      const words = states.map(({ state }) => state).sort()
      expect(words).toEqual([...Array.from({ length: 7 }, () => 'running'), 'taken'])
      expect(await take('k2')).toMatchObject({ state: 'taken' })
    })

    it('says what was answered, as often as somebody asks, until it expires', async () => {
      await store().answerIdempotencyKey('k1', runnerOf(await take()), answer, START + DAY)
      at.clock = START + LEASE + 1
      expect(await take()).toEqual({ state: 'answered', answer })
      expect(await take()).toEqual({ state: 'answered', answer })
      at.clock = START + DAY
      expect(await take()).toMatchObject({ state: 'taken' })
    })

    it('tells another request that the key is not its own, while it runs and afterwards', async () => {
      const runner = runnerOf(await take())
      expect(await take('k1', 'f2')).toEqual({ state: 'other' })
      await store().answerIdempotencyKey('k1', runner, answer, START + DAY)
      expect(await take('k1', 'f2')).toEqual({ state: 'other' })
      at.clock = START + DAY
      expect(await take('k1', 'f2')).toMatchObject({ state: 'taken' })
      expect(await take('k1', 'f1')).toEqual({ state: 'other' })
    })

    it('frees a key that its runner gives back', async () => {
      await store().freeIdempotencyKey('k1', runnerOf(await take()))
      expect(await take('k1', 'f2')).toMatchObject({ state: 'taken' })
    })

    it('lets one other run when the lease has ended, and hears no more of the first one', async () => {
      const late = runnerOf(await take())
      at.clock = START + LEASE - 1
      expect(await take()).toEqual({ state: 'running' })
      at.clock = START + LEASE
      const states = await Promise.all(Array.from({ length: 4 }, () => take()))
      const next = runnerOf(states.find(({ state }) => state === 'taken') ?? { state: 'running' })
      expect(states.filter(({ state }) => state === 'running')).toHaveLength(3)
      expect(next).not.toBe(late)
      await store().answerIdempotencyKey('k1', late, { ...answer, status: 409 }, START + DAY)
      await store().freeIdempotencyKey('k1', late)
      expect(await take()).toEqual({ state: 'running' })
      await store().answerIdempotencyKey('k1', next, answer, START + DAY)
      await store().freeIdempotencyKey('k1', next)
      expect(await take()).toEqual({ state: 'answered', answer })
    })

    it('still knows whose a key was after its runner died, for a day', async () => {
      await take()
      at.clock = START + LEASE + DAY - 1
      expect(await take('k1', 'f2')).toEqual({ state: 'other' })
      at.clock = START + LEASE + DAY
      expect(await take('k1', 'f2')).toMatchObject({ state: 'taken' })
    })
  })
}
