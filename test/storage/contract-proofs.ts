import { beforeEach, describe, expect, it } from 'vitest'
import type { ChallengeRow, ProofRow } from '../../src/storage/store.js'
import { emptyState, freshStore, START, type StoreFactory } from './contract-support.js'

const proof: ProofRow = {
  namespace: 'com.example',
  kind: 'dns',
  subject: 'example.com',
  kid: 'k1',
  checkedAt: START,
  suspended: false,
}

const challenge: ChallengeRow = {
  challenge: 'c1',
  namespace: 'com.example',
  account: 'author',
  kind: 'dns',
  expiresAt: START + 1000,
}

/** What stands behind namespaces. */
export function proofsContract(name: string, open: StoreFactory): void {
  describe(`store contract: ${name}: proofs`, () => {
    const at = freshStore(open)
    const { store } = at
    const put = (row: ProofRow) => store().commitBatch((tx) => tx.putProof(row))

    beforeEach(() => store().initLog(emptyState))

    it('keeps the newest proof of a namespace', async () => {
      expect(await store().readProof('com.example')).toBeUndefined()
      await put(proof)
      expect(await store().readProof('com.example')).toEqual(proof)
      const suspended = { ...proof, kind: 'http', failingSince: START, suspended: true } as const
      await put(suspended)
      expect(await store().commitBatch((tx) => tx.readProof('com.example'))).toEqual(suspended)
    })

    it('tells which proofs by domain are due, oldest first', async () => {
      const rows: ProofRow[] = [
        { ...proof, namespace: 'com.b', checkedAt: START + 2 },
        { ...proof, namespace: 'com.a', kind: 'http', checkedAt: START + 1 },
        { ...proof, namespace: 'io.github.x', kind: 'oidc', checkedAt: START },
      ]
      for (const row of rows) await put(row)
      const claim = async (before: number, claimedAs: number, limit = 9) =>
        (await store().claimProofsDue(before, limit, claimedAs)).map(({ namespace }) => namespace)
      expect(await claim(START + 1, START + 9)).toEqual([])
      expect(await claim(START + 3, START + 5, 1)).toEqual(['com.a'])
      expect(await claim(START + 3, START + 5)).toEqual(['com.b'])
      expect(await claim(START + 3, START + 5)).toEqual([])
      expect(await store().readProof('com.a')).toMatchObject({ checkedAt: START + 5 })
      expect(await claim(START + 6, START + 9)).toEqual(['com.a', 'com.b'])
      expect(await store().readProof('io.github.x')).toMatchObject({ checkedAt: START })
    })

    it('records a look at the proof that was looked at, and at no other', async () => {
      await put(proof)
      const failed: ProofRow = { ...proof, checkedAt: START + 9, failingSince: START + 9, suspended: true }
      for (const other of [
        { ...failed, subject: 'example.org' },
        { ...failed, kid: 'k2' },
        { ...failed, kind: 'http' as const },
        { ...failed, namespace: 'com.other' },
      ]) {
        await store().recordProofCheck(other)
      }
      expect(await store().readProof('com.example')).toEqual(proof)
      expect(await store().readProof('com.other')).toBeUndefined()
      await store().recordProofCheck(failed)
      expect(await store().readProof('com.example')).toEqual(failed)
      const good = { ...proof, checkedAt: START + 10 }
      await store().recordProofCheck(good)
      expect(await store().readProof('com.example')).toEqual(good)
    })

    it('lets a challenge be taken once', async () => {
      await store().putChallenge(challenge)
      expect(await store().readChallenge('c1')).toEqual(challenge)
      expect(await store().readChallenge('c2')).toBeUndefined()
      const take = () => store().commitBatch((tx) => tx.takeChallenge('c1'))
      expect(await Promise.all([take(), take(), take()])).toEqual([true, false, false])
      expect(await store().readChallenge('c1')).toBeUndefined()
    })

    it('gives a challenge back when the batch fails, and never when it has expired', async () => {
      await store().putChallenge(challenge)
      const failing = store().commitBatch(async (tx) => {
        expect(await tx.takeChallenge('c1')).toBe(true)
        throw new RangeError('changed my mind')
      })
      await expect(failing).rejects.toBeInstanceOf(RangeError)
      expect(await store().readChallenge('c1')).toEqual(challenge)
      at.clock = START + 1000
      expect(await store().readChallenge('c1')).toBeUndefined()
      expect(await store().commitBatch((tx) => tx.takeChallenge('c1'))).toBe(false)
      // Its name is free again: nothing of what expired is kept.
      await store().putChallenge({ ...challenge, expiresAt: START + 2000 })
      expect(await store().readChallenge('c1')).toMatchObject({ expiresAt: START + 2000 })
    })
  })
}
