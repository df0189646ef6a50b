import { beforeEach, describe, expect, it } from 'vitest'
import type { PolicyVersion, VoteRow } from '../../src/storage/store.js'
import { digest, emptyState, freshStore, START, type StoreFactory } from './contract-support.js'

const vote: VoteRow = { subject: 'approve:sha256:a', account: 'author', after: 4, at: START }
const policy = (version: number, text = `policy ${version}`): PolicyVersion => ({
  ...{ version, digest: digest(text), text, by: 'admin', at: START + version },
})

/** Votes, signatures and policies. */
export function reviewContract(name: string, open: StoreFactory): void {
  describe(`store contract: ${name}: decisions`, () => {
    const { store } = freshStore(open)
    beforeEach(() => store().initLog(emptyState))

    it('gives the votes about a subject and an index, in the order they were cast', async () => {
      const second = { ...vote, account: 'zoe', comment: 'fine', override: 'known', reason: 'r' }
      const third = { ...vote, account: 'outsider' }
      for (const row of [vote, second, third]) await store().castVote(row)
      await store().castVote({ ...vote, subject: 'approve:sha256:b' })
      expect(await store().readVotes(vote.subject, 4)).toEqual([vote, second, third])
      expect(await store().commitBatch((tx) => tx.readVotes(vote.subject, 4))).toEqual([vote, second, third])
      expect(await store().readVotes(vote.subject, 5)).toEqual([])
    })

    it('lets a second vote replace the first and keep its place', async () => {
      await store().castVote({ ...vote, comment: 'first', override: 'o' })
      await store().castVote({ ...vote, account: 'outsider' })
      const again = { ...vote, at: START + 1, comment: 'second' }
      await store().castVote(again)
      expect(await store().readVotes(vote.subject, 4)).toEqual([again, { ...vote, account: 'outsider' }])
      const later = { ...vote, after: 6 }
      await store().castVote(later)
      expect(await store().readVotes(vote.subject, 4)).toEqual([{ ...vote, account: 'outsider' }])
      expect(await store().readVotes(vote.subject, 6)).toEqual([later])
    })

    it('keeps one signature for each key and draft', async () => {
      const row = { subject: vote.subject, after: 4, kid: 'b', sig: 'one' }
      await store().putSignature(row)
      await store().putSignature({ ...row, kid: 'a' })
      await store().putSignature({ ...row, sig: 'two' })
      await store().putSignature({ ...row, after: 5 })
      const kept = [
        { ...row, kid: 'a' },
        { ...row, sig: 'two' },
      ]
      expect(await store().readSignatures(vote.subject, 4)).toEqual(kept)
      expect(await store().commitBatch((tx) => tx.readSignatures(vote.subject, 4))).toEqual(kept)
      expect(await store().readSignatures('approve:other', 4)).toEqual([])
    })

    it('puts a policy in force only after the one before it', async () => {
      expect(await store().readCurrentPolicy()).toBeUndefined()
      expect(await store().setPolicy(policy(2))).toBe(false)
      expect(await store().readPolicy(policy(2).digest)).toBeUndefined()
      expect(await store().setPolicy(policy(1))).toBe(true)
      expect(await store().setPolicy(policy(1, 'rival'))).toBe(false)
      expect(await store().readCurrentPolicy()).toEqual(policy(1))
      const rivals = [policy(2), policy(2, 'rival')]
      const all = await Promise.all(rivals.map((row) => store().setPolicy(row)))
      expect(all.filter(Boolean)).toHaveLength(1)
      const winner = rivals[all.indexOf(true)]
      expect(await store().readCurrentPolicy()).toEqual(winner)
      expect(await store().commitBatch((tx) => tx.readCurrentPolicy())).toEqual(winner)
      expect(await store().readPolicy(winner!.digest)).toBe(winner!.text)
    })

    it('may go back to an older text, and tells the history newest first', async () => {
      const rows = [policy(1), policy(2), policy(3, 'policy 1')]
      for (const row of rows) expect(await store().setPolicy(row)).toBe(true)
      expect(await store().readPolicyVersions(9)).toEqual(rows.toReversed())
      expect(await store().readPolicyVersions(1)).toEqual([rows[2]])
    })
  })
}
