import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  formatRevocationLine,
  toolDigest,
  type Digest,
  type DecisionEvent,
  type Signer,
} from 'countersign/core'
import type { Principal } from '../../src/auth/scopes.js'
import { lookup, readByDigest, ANYONE } from '../../src/publish/catalogue.js'
import { deprecate, reject, withdraw } from '../../src/review/decide.js'
import type { Outcome } from '../../src/review/motion.js'
import type { Target } from '../../src/review/lines.js'
import { readReview } from '../../src/review/queue.js'
import { reinstate } from '../../src/review/reinstate.js'
import { revoke } from '../../src/review/revoke.js'
import {
  indexOf,
  openDesk,
  principalOf,
  PUBLISHER,
  refusal,
  REVIEWER,
  tallyOf,
  verdictOf,
  type Desk,
} from './support.js'

let desk: Desk
let author: Principal
let reviewer: Principal
let key: Signer
let serial = 0

beforeAll(async () => {
  desk = await openDesk()
  author = await desk.person('author', PUBLISHER)
  reviewer = await desk.person('reviewer')
  await desk.person('reviewer2')
  await desk.person('reviewer3')
  await desk.person('reviewer-bot', REVIEWER, 'reviewer')
  key = await desk.namespace('com.example', 'author')
})
afterAll(async () => {
  // Every status and every decision of this file, derived again from the log alone.
  expect(await desk.lies()).toEqual([])
  await desk.close()
})

interface Case {
  readonly digest: Digest
  readonly server: string
}

const STATUSES = ['pending', 'approved', 'rejected', 'withdrawn', 'deprecated', 'revoked'] as const
type Status = (typeof STATUSES)[number]

const manifestOf = (digest: Digest): Target => ({ target: 'manifest', digest })
const reason = 'a test needs it'

const DECISIONS = {
  approve: (digest: Digest): Promise<Outcome> => desk.approve('reviewer', digest),
  reject: async (digest: Digest) =>
    reject(desk.context, 'reviewer', digest, { after: await desk.last(digest), reason }),
  withdraw: (digest: Digest) => withdraw(desk.context, author, digest, { reason }),
  deprecate: (digest: Digest) => deprecate(desk.context, reviewer, digest, { reason }),
  revoke: (digest: Digest) => revoke(desk.context, reviewer, manifestOf(digest), { reason }),
  reinstate: async (digest: Digest) => {
    const after = await desk.last(digest)
    const first = await reinstate(desk.context, 'reviewer', manifestOf(digest), { after, reason })
    expect(tallyOf(first)).toMatchObject({ votes: 1, needed: 2 })
    return reinstate(desk.context, 'reviewer2', manifestOf(digest), { after, reason })
  },
} as const
type Decision = keyof typeof DECISIONS

/** A new server whose one version has this status. */
async function inStatus(status: Status): Promise<Case> {
  const server = `com.example/matrix${++serial}`
  const { manifest: digest } = await desk.publish(author, key, desk.manifest(server))
  if (status === 'approved' || status === 'deprecated' || status === 'revoked')
    await DECISIONS.approve(digest)
  if (status === 'deprecated') await DECISIONS.deprecate(digest)
  if (status === 'revoked') await DECISIONS.revoke(digest)
  if (status === 'rejected') await DECISIONS.reject(digest)
  if (status === 'withdrawn') await DECISIONS.withdraw(digest)
  expect(await desk.status(digest)).toBe(status)
  return { digest, server }
}

/** What a decision makes of a status; where nothing stands it is refused. */
const RESULTS: Readonly<Record<Status, Partial<Record<Decision, Status>>>> = {
  pending: { approve: 'approved', reject: 'rejected', withdraw: 'withdrawn', revoke: 'revoked' },
  approved: { deprecate: 'deprecated', revoke: 'revoked' },
  rejected: { approve: 'approved', revoke: 'revoked' },
  withdrawn: { revoke: 'revoked' },
  deprecated: { revoke: 'revoked' },
  revoked: { reinstate: 'approved' },
}

/** What hosts make of a status, once there is a bundle. */
const VERDICTS: Partial<Record<Status, string>> = {
  approved: 'verified',
  deprecated: 'verified',
  revoked: 'revoked',
}

const MATRIX = STATUSES.flatMap((status) =>
  (Object.keys(DECISIONS) as Decision[]).map(
    (decision) => [status, decision, RESULTS[status][decision]] as const,
  ),
)

describe('every decision in every status', () => {
  it.each(MATRIX)('%s, %s -> %s', async (status, decision, result) => {
    const { digest, server } = await inStatus(status)
    if (result === undefined) {
      expect(await refusal(desk, () => DECISIONS[decision](digest))).toBe('manifest-status')
      expect(await desk.status(digest)).toBe(status)
      return
    }
    const index = indexOf(await DECISIONS[decision](digest))
    expect(await desk.event(index)).toMatchObject({ t: decision })
    expect(await desk.status(digest)).toBe(result)
    expect(await desk.last(digest)).toBe(index)
    const row = await desk.store.readManifest(digest)
    if (row?.approveIndex !== undefined) expect(await verdictOf(desk, digest)).toBe(VERDICTS[result])
    const visible = await readByDigest(desk.context, digest, ANYONE).then(
      () => true,
      () => false,
    )
    expect(visible).toBe(row?.approveIndex !== undefined)
    expect(row?.server).toBe(server)
  })
})

describe('a reinstatement', () => {
  it('gives back what stood before: pending, rejected, withdrawn, deprecated', async () => {
    for (const status of ['pending', 'rejected', 'withdrawn', 'deprecated', 'approved'] as const) {
      const { digest } = await inStatus(status)
      for (let round = 0; round < 2; round++) {
        await DECISIONS.revoke(digest)
        expect(await desk.status(digest)).toBe('revoked')
        await DECISIONS.reinstate(digest)
        expect(await desk.status(digest)).toBe(status)
      }
    }
  })

  it('takes two persons: one of them twice, or with a service account of theirs, is not enough', async () => {
    const { digest } = await inStatus('revoked')
    const after = await desk.last(digest)
    const by = (account: string) => reinstate(desk.context, account, manifestOf(digest), { after, reason })
    expect(tallyOf(await by('reviewer')).votes).toBe(1)
    expect(tallyOf(await by('reviewer')).votes).toBe(1)
    expect(await refusal(desk, () => by('reviewer-bot'))).toBe('decider-not-allowed')
    expect((await readReview(desk.context, digest)).votes).toMatchObject([{ account: 'reviewer', reason }])
    const event = (await desk.event(indexOf(await by('reviewer2')))) as DecisionEvent
    expect([event.deciders, event.after, event.reason]).toEqual([['reviewer', 'reviewer2'], after, reason])
  })

  it('is nothing the publisher has a say in, reviewer or not', async () => {
    await desk.person('both', ['publisher', 'reviewer'])
    const theirs = await desk.namespace('org.both', 'both')
    const both = principalOf('both', ['publisher', 'reviewer'])
    const { manifest: digest } = await desk.publish(both, theirs, desk.manifest('org.both/a'))
    await DECISIONS.approve(digest)
    const { index: after } = await DECISIONS.revoke(digest)
    const server: Target = { target: 'server', name: 'org.both/a' }
    const act = (target: Target, known: number) => () =>
      reinstate(desk.context, 'both', target, { after: known, reason })
    expect(await refusal(desk, act(manifestOf(digest), after))).toBe('own-work')
    const ended = await revoke(desk.context, reviewer, server, { reason })
    expect(await refusal(desk, act(server, ended.index))).toBe('own-work')
  })

  it('voted for before a second revocation counts for nothing after it', async () => {
    const { digest } = await inStatus('revoked')
    const after = await desk.last(digest)
    await reinstate(desk.context, 'reviewer3', manifestOf(digest), { after, reason })
    indexOf(await reinstate(desk.context, 'reviewer', manifestOf(digest), { after, reason }))
    await DECISIONS.revoke(digest)
    const stale = () => reinstate(desk.context, 'reviewer2', manifestOf(digest), { after, reason })
    expect(await refusal(desk, stale)).toBe('after-outdated')
    const fresh = await reinstate(desk.context, 'reviewer2', manifestOf(digest), {
      after: await desk.last(digest),
      reason,
    })
    expect(tallyOf(fresh).votes).toBe(1)
  })

  it('of a server gives back its versions, except one that is revoked by itself', async () => {
    const one = await inStatus('approved')
    const { server } = one
    const second = await desk.publish(author, key, desk.manifest(server, { version: '2.0.0' }))
    await DECISIONS.approve(second.manifest)
    await DECISIONS.deprecate(one.digest)
    const third = await desk.publish(author, key, desk.manifest(server, { version: '3.0.0' }))
    const target: Target = { target: 'server', name: server }
    await DECISIONS.revoke(second.manifest)
    const { index: after } = await revoke(desk.context, reviewer, target, { reason })
    const statuses = () =>
      Promise.all([one.digest, second.manifest, third.manifest].map((digest) => desk.status(digest)))
    expect(await statuses()).toEqual(['revoked', 'revoked', 'pending'])
    expect(await refusal(desk, () => desk.approve('reviewer', third.manifest))).toBe('manifest-status')

    await reinstate(desk.context, 'reviewer', target, { after, reason })
    indexOf(await reinstate(desk.context, 'reviewer2', target, { after, reason }))
    expect(await statuses()).toEqual(['deprecated', 'revoked', 'pending'])
    expect(await verdictOf(desk, one.digest)).toBe('verified')
    expect(await verdictOf(desk, second.manifest)).toBe('revoked')
    indexOf(await desk.approve('reviewer', third.manifest))
  })

  it('of a manifest whose server is revoked too leaves it revoked until the server is back', async () => {
    const { digest, server } = await inStatus('approved')
    const target: Target = { target: 'server', name: server }
    await DECISIONS.revoke(digest)
    const { index: after } = await revoke(desk.context, reviewer, target, { reason })
    await DECISIONS.reinstate(digest)
    expect([await desk.status(digest), await verdictOf(desk, digest)]).toEqual(['revoked', 'revoked'])
    await reinstate(desk.context, 'reviewer', target, { after, reason })
    await reinstate(desk.context, 'reviewer2', target, { after, reason })
    expect([await desk.status(digest), await verdictOf(desk, digest)]).toEqual(['approved', 'verified'])
  })

  it('of a tool lets it be approved again', async () => {
    const definition = { name: 'odd', description: 'Counts odd numbers.', inputSchema: { type: 'object' } }
    const digest = toolDigest(definition)
    const target: Target = { target: 'tool', digest }
    const { index: after } = await revoke(desk.context, reviewer, target, { reason })
    const tools = [{ definition, permissions: [] }]
    const held = await desk.publish(author, key, desk.manifest('com.example/odd', { tools }))
    expect(await refusal(desk, () => desk.approve('reviewer', held.manifest))).toBe('manifest-status')
    await reinstate(desk.context, 'reviewer', target, { after, reason })
    await reinstate(desk.context, 'reviewer3', target, { after, reason })
    expect(await desk.store.readRevocations()).not.toContain(formatRevocationLine({ kind: 'tool', digest }))
    indexOf(await desk.approve('reviewer', held.manifest))
    expect(await verdictOf(desk, held.manifest)).toBe('verified')
  })

  it('is for what is revoked itself, and for what exists', async () => {
    const { digest } = await inStatus('approved')
    const unknown: Target = { target: 'manifest', digest: `sha256:${'0'.repeat(64)}` }
    const act = (target: Target, after: number) => () =>
      reinstate(desk.context, 'reviewer', target, { after, reason })
    expect(await refusal(desk, act(unknown, 0))).toBe('manifest-unknown')
    expect(await refusal(desk, act(manifestOf(digest), await desk.last(digest)))).toBe('manifest-status')
    expect(await refusal(desk, act({ target: 'server', name: 'com.example/none' }, 0))).toBe('after-outdated')
  })
})

describe('what one person may do alone', () => {
  it('an owner revokes, withdraws and deprecates their own, and nobody else’s', async () => {
    const outsider = await desk.person(`outsider${++serial}`, PUBLISHER)
    const [waits, stands] = [await inStatus('pending'), await inStatus('approved')]
    const acts = (by: Principal) => [
      () => withdraw(desk.context, by, waits.digest, { reason }),
      () => deprecate(desk.context, by, stands.digest, { reason }),
      () => revoke(desk.context, by, manifestOf(stands.digest), { reason }),
      () => revoke(desk.context, by, { target: 'server', name: stands.server }, { reason }),
    ]
    const codes: string[] = []
    for (const act of acts(outsider)) codes.push(await refusal(desk, act))
    expect(codes).toEqual([
      'namespace-not-granted',
      'decider-not-allowed',
      'decider-not-allowed',
      'decider-not-allowed',
    ])
    for (const act of acts(author)) await act()
    expect([await desk.status(waits.digest), await desk.status(stands.digest)]).toEqual([
      'withdrawn',
      'revoked',
    ])
  })

  it('a tool definition is nobody’s own', async () => {
    const target: Target = { target: 'tool', digest: `sha256:${'a'.repeat(64)}` }
    expect(await refusal(desk, () => revoke(desk.context, author, target, { reason }))).toBe(
      'decider-not-allowed',
    )
  })

  it('a token decides only as what its scopes say, and an account as what it is now', async () => {
    const { digest } = await inStatus('approved')
    const act = (by: Principal) => () => revoke(desk.context, by, manifestOf(digest), { reason })
    expect(await refusal(desk, act({ ...reviewer, scopes: ['registry:audit'] }))).toBe('decider-not-allowed')
    expect(await refusal(desk, act({ ...author, scopes: ['registry:review'] }))).toBe('decider-not-allowed')
    const gone = await desk.person(`gone${++serial}`)
    await desk.store.updateAccount(gone.account, { disabled: true })
    expect(await refusal(desk, act(gone))).toBe('decider-not-allowed')
    await act(reviewer)()
  })

  it('a withdrawn version never comes again, under whichever key', async () => {
    const { digest, server } = await inStatus('withdrawn')
    const again = await desk.publish(author, key, desk.manifest(server))
    expect([again.created, again.status, again.manifest]).toEqual([false, 'withdrawn', digest])
    const other = () => desk.publish(author, key, desk.manifest(server, { title: 'Other' }))
    expect(await refusal(desk, other)).toBe('version-taken')
  })

  it('lookups follow', async () => {
    const server = `com.example/looked${++serial}`
    const remotes = [{ type: 'streamable-http', url: `https://mcp.example.com/${serial}` }] as const
    const { manifest: digest } = await desk.publish(author, key, desk.manifest(server, { remotes }))
    const found = async () =>
      (await lookup(desk.context, { url: remotes[0].url })).flatMap(({ versions }) =>
        versions.map(({ status }) => status),
      )
    const seen = [await found()]
    for (const decision of ['reject', 'approve', 'deprecate', 'revoke', 'reinstate'] as const) {
      await DECISIONS[decision](digest)
      seen.push(await found())
    }
    expect(seen).toEqual([[], [], ['approved'], ['deprecated'], ['revoked'], ['deprecated']])
  })
})
