import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  encodeKeyX,
  formatEvent,
  type ApproveEvent,
  type DecisionEvent,
  type Digest,
  type Signer,
} from 'countersign/core'
import { openReplay } from '../../client/src/cli/log/replay.js'
import type { Principal } from '../../src/auth/scopes.js'
import { signApproval } from '../../src/review/approve.js'
import { reject } from '../../src/review/decide.js'
import type { Target } from '../../src/review/lines.js'
import { readReview } from '../../src/review/queue.js'
import { reinstate, signReinstatement } from '../../src/review/reinstate.js'
import { revoke } from '../../src/review/revoke.js'
import {
  indexOf,
  newSigner,
  openDesk,
  PUBLISHER,
  refusal,
  signDraft,
  tallyOf,
  verdictOf,
  type Desk,
} from './support.js'

const [first, second, third] = [newSigner(), newSigner(), newSigner()]
let desk: Desk
let author: Principal
let reviewer: Principal
let key: Signer
let serial = 0
let waiting: Digest

beforeAll(async () => {
  const keys = [first, second, third].map((one) => encodeKeyX(one.publicKey))
  desk = await openDesk({ keys, threshold: 2 })
  author = await desk.person('author', PUBLISHER)
  reviewer = await desk.person('reviewer')
  await desk.person('reviewer2')
  key = await desk.namespace('com.example', 'author')
})
afterAll(async () => {
  expect(await desk.lies()).toEqual([])
  await desk.close()
})
beforeEach(async () => {
  waiting = (await desk.publish(author, key, desk.manifest(`com.example/server${++serial}`))).manifest
})

const sign = (by: Signer, draft: string | undefined, digest = waiting) =>
  signApproval(desk.context, 'reviewer', digest, signDraft(draft, desk.identity, by))

describe('approvers in the trust root', () => {
  it('votes make a draft; a threshold of distinct approvers makes it an approval that hosts accept', async () => {
    const { draft } = tallyOf(await desk.approve('reviewer', waiting))
    const shown = await readReview(desk.context, waiting)
    expect(shown.draft).toBe(draft)
    expect(shown.needs.signatures).toEqual({ given: 0, needed: 2 })
    expect(tallyOf(await sign(first, draft))).toMatchObject({ signatures: { given: 1, needed: 2 } })
    expect(tallyOf(await sign(first, draft))).toMatchObject({ signatures: { given: 1, needed: 2 } })
    const event = (await desk.event(indexOf(await sign(third, draft)))) as ApproveEvent
    expect([event.sigs?.length, event.deciders]).toEqual([2, ['reviewer']])
    expect(await verdictOf(desk, waiting)).toBe('verified')
  })

  it('two last signatures at the same moment log one event', async () => {
    const { draft } = tallyOf(await desk.approve('reviewer', waiting))
    const outcomes = await Promise.all([sign(first, draft), sign(second, draft)])
    const [one, two] = outcomes.map(indexOf)
    expect(one).toBe(two)
  })

  it('another vote does not change what was signed', async () => {
    const { draft } = tallyOf(await desk.approve('reviewer', waiting))
    await sign(first, draft)
    expect(tallyOf(await desk.approve('reviewer2', waiting)).draft).toBe(draft)
    const event = (await desk.event(indexOf(await sign(second, draft)))) as ApproveEvent
    expect(event.deciders).toEqual(['reviewer'])
  })

  it.each<[string, () => Promise<unknown>, string]>([
    ['by a stranger’s key', async () => sign(newSigner(), await draftOf(waiting)), 'signature-invalid'],
    [
      'for another registry',
      async () => {
        const signature = signDraft(await draftOf(waiting), 'registry-elsewhere', first)
        return signApproval(desk.context, 'reviewer', waiting, signature)
      },
      'signature-invalid',
    ],
    ['of no form', () => signApproval(desk.context, 'reviewer', waiting, 'a..b'), 'signature-unwanted'],
    [
      'sent by who is no reviewer',
      async () => {
        const signature = signDraft(await draftOf(waiting), desk.identity, first)
        return signApproval(desk.context, 'author', waiting, signature)
      },
      'decider-not-allowed',
    ],
  ])('refuses a signature %s', async (_, act, code) => {
    expect(await refusal(desk, act)).toBe(code)
    expect(await desk.status(waiting)).toBe('pending')
  })

  it('refuses a signature over another manifest’s draft', async () => {
    await draftOf(waiting)
    const other = await desk.publish(author, key, desk.manifest(`com.example/other${serial}`))
    const draft = await draftOf(other.manifest)
    expect(await refusal(desk, () => sign(first, draft))).toBe('signature-invalid')
    expect(tallyOf(await sign(first, draft, other.manifest))).toMatchObject({ signatures: { given: 1 } })
  })

  it('signatures over what a policy edit or a rejection made old count for nothing', async () => {
    const { draft } = tallyOf(await desk.approve('reviewer', waiting))
    await sign(first, draft)
    await desk.policy({ heldFindings: 'never' })
    expect(await refusal(desk, () => sign(second, draft))).toBe('signature-invalid')
    await desk.policy({})
    const after = await desk.last(waiting)
    const { index } = await reject(desk.context, 'reviewer2', waiting, { after, reason: 'no' })
    expect(await refusal(desk, () => sign(second, draft))).toBe('signature-unwanted')
    const again = tallyOf(await desk.approve('reviewer', waiting, { after: index }))
    expect(again).toMatchObject({ votes: 1, signatures: { given: 0 } })
    expect(await refusal(desk, () => sign(second, draft))).toBe('signature-invalid')
    await sign(first, again.draft)
    indexOf(await sign(second, again.draft))
    expect(await verdictOf(desk, waiting)).toBe('verified')
  })

  it('nothing approves itself, whatever the policy says', async () => {
    await approved(waiting)
    await desk.policy({ autoApprove: ['none', 'cosmetic'] })
    const next = await desk.publish(
      author,
      key,
      desk.manifest(`com.example/server${serial}`, { version: '1.0.1' }),
    )
    expect(next.status).toBe('pending')
    await desk.policy({})
  })

  it('a reinstatement takes their signatures too; a revocation does not', async () => {
    await approved(waiting)
    const target: Target = { target: 'manifest', digest: waiting }
    const { index: after } = await revoke(desk.context, reviewer, target, { reason: 'hostile' })
    expect(await verdictOf(desk, waiting)).toBe('revoked')
    const vote = (account: string) =>
      reinstate(desk.context, account, target, { after, reason: 'a false alarm' })
    await vote('reviewer')
    const { draft } = tallyOf(await vote('reviewer2'))
    expect((await readReview(desk.context, waiting)).draft).toBe(draft)
    const signBy = (by: Signer) =>
      signReinstatement(desk.context, 'reviewer', target, signDraft(draft, desk.identity, by))
    tallyOf(await signBy(first))
    const event = (await desk.event(indexOf(await signBy(second)))) as DecisionEvent
    expect([event.deciders, event.sigs?.length]).toEqual([['reviewer', 'reviewer2'], 2])
    expect(await verdictOf(desk, waiting)).toBe('verified')
  })

  it('a registry that logs an approval with too few of them is caught by hosts and by a replay', async () => {
    const { draft } = tallyOf(await desk.approve('reviewer', waiting))
    const unsigned = JSON.parse(draft ?? '') as ApproveEvent
    const forged = { ...unsigned, sigs: [signDraft(draft, desk.identity, first)] }
    const entries = (await desk.entries()).map(formatEvent)
    const root = desk.fixture.ledger.trustRoot()
    const digest = (await desk.entries()).find((event) => event.t === 'root')?.digest ?? ''
    const run = openReplay(desk.identity, new Map([[1, digest]]), new Map([[1, root]]))
    for (const entry of [...entries, formatEvent(forged)]) run.add(Buffer.from(entry))
    expect(run.finish().lies).toContainEqual(
      expect.objectContaining({ index: entries.length, code: 'signature-invalid' }),
    )
    // The operator's own log takes it; no host does.
    await desk.fixture.ledger.submit({
      authorise: async () => undefined,
      event: () => ({ ...forged, after: unsigned.after }),
      apply: (tx, index) => tx.updateManifest(waiting, { status: 'approved', approveIndex: index }),
    })
    expect(await verdictOf(desk, waiting)).toBe('signature-invalid')
    const lies = await desk.lies()
    expect(lies).toMatchObject([{ code: 'signature-invalid' }])
    await desk.close()
    desk = await openDesk()
  })
})

async function draftOf(digest: Digest): Promise<string | undefined> {
  return tallyOf(await desk.approve('reviewer', digest)).draft
}

async function approved(digest: Digest): Promise<void> {
  const draft = await draftOf(digest)
  await sign(first, draft, digest)
  indexOf(await sign(second, draft, digest))
}
