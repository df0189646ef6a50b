import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  formatEvent,
  type ApproveEvent,
  type DecisionEvent,
  type Digest,
  type LogEvent,
  type Signer,
} from 'countersign/core'
import { openReplay } from '../../client/src/cli/log/replay.js'
import type { Principal } from '../../src/auth/scopes.js'
import { deprecate, reject, withdraw } from '../../src/review/decide.js'
import { reinstate } from '../../src/review/reinstate.js'
import { revoke } from '../../src/review/revoke.js'
import { POLICY_DIGEST } from '../../src/review/policy.js'
import { indexOf, openDesk, PUBLISHER, type Desk } from './support.js'

// Whoever replays the log finds what a registry must not have logged about manifests.

let desk: Desk
let author: Principal
let reviewer: Principal
let key: Signer
let entries: LogEvent[]
const digests = {} as Record<
  'pending' | 'approved' | 'rejected' | 'withdrawn' | 'deprecated' | 'revoked',
  Digest
>
const reason = 'a test needs it'

beforeAll(async () => {
  desk = await openDesk()
  author = await desk.person('author', PUBLISHER)
  reviewer = await desk.person('reviewer')
  await desk.person('reviewer2')
  key = await desk.namespace('com.example', 'author')
  for (const name of ['pending', 'approved', 'rejected', 'withdrawn', 'deprecated', 'revoked'] as const) {
    digests[name] = (await desk.publish(author, key, desk.manifest(`com.example/${name}`))).manifest
  }
  const after = await desk.last(digests.rejected)
  await reject(desk.context, 'reviewer', digests.rejected, { after, reason })
  await withdraw(desk.context, author, digests.withdrawn, { reason })
  for (const name of ['approved', 'deprecated', 'revoked'] as const)
    await desk.approve('reviewer', digests[name])
  await deprecate(desk.context, reviewer, digests.deprecated, { reason })
  const target = { target: 'manifest', digest: digests.revoked } as const
  const first = await revoke(desk.context, reviewer, target, { reason })
  await reinstate(desk.context, 'reviewer', target, { after: first.index, reason })
  indexOf(await reinstate(desk.context, 'reviewer2', target, { after: first.index, reason }))
  await revoke(desk.context, reviewer, target, { reason })
  entries = await desk.entries()
})
afterAll(async () => {
  await desk.close()
})

/** What a replay finds in the honest log with one more entry: codes by index, the missing snapshot aside. */
function found(event: LogEvent): [number, string][] {
  const digest = entries.find((entry) => entry.t === 'root')?.digest ?? ''
  const run = openReplay(desk.identity, new Map([[1, digest]]))
  for (const entry of [...entries, event]) run.add(Buffer.from(formatEvent(entry)))
  return run
    .finish()
    .lies.filter(({ said }) => said !== 'the log does not end with a snapshot')
    .map(({ index, code }) => [index, code])
}

const lastAbout = (digest: Digest) =>
  entries.findLastIndex(
    (event) =>
      ('manifest' in event && event.manifest === digest) || ('digest' in event && event.digest === digest),
  )

function approval(name: keyof typeof digests, change: Partial<ApproveEvent> = {}): LogEvent {
  const manifest = digests[name]
  const about = { server: `com.example/${name}`, version: '1.0.0', manifest, policy: POLICY_DIGEST }
  return { v: 1, t: 'approve', ...about, deciders: ['reviewer'], after: lastAbout(manifest), ...change }
}

function decision(
  t: DecisionEvent['t'],
  name: keyof typeof digests,
  change: Partial<DecisionEvent> = {},
): LogEvent {
  const digest = digests[name]
  return {
    v: 1,
    t,
    target: 'manifest',
    digest,
    reason,
    deciders: ['reviewer'],
    after: lastAbout(digest),
    ...change,
  }
}

const two = { deciders: ['reviewer', 'reviewer2'] }

describe('a replay of the decisions', () => {
  it('finds nothing in what the registry logged', async () => {
    expect(await desk.lies()).toEqual([])
  })

  it.each<[string, () => LogEvent]>([
    ['an approval of what waits', () => approval('pending')],
    ['an approval of what was rejected', () => approval('rejected')],
    ['an approval by a rule', () => approval('pending', { deciders: ['auto'], auto: 'cosmetic' })],
    ['a rejection of what waits', () => decision('reject', 'pending')],
    ['a revocation of what is approved', () => decision('revoke', 'approved')],
    ['a reinstatement by two', () => decision('reinstate', 'revoked', two)],
  ])('takes %s', (_, event) => {
    expect(found(event())).toEqual([])
  })

  it.each<[string, () => LogEvent]>([
    ['an approval of what is approved', () => approval('approved')],
    ['an approval of what is deprecated', () => approval('deprecated')],
    ['an approval of what was withdrawn', () => approval('withdrawn')],
    ['an approval of what is revoked', () => approval('revoked')],
    [
      'an approval replayed from before a rejection',
      () => approval('rejected', { after: lastAbout(digests.rejected) - 2 }),
    ],
    ['an approval by one person twice', () => approval('pending', { deciders: ['reviewer', 'reviewer'] })],
    ['a rule that decided among persons', () => approval('pending', { auto: 'none' })],
    ['a rule without its name', () => approval('pending', { deciders: ['auto'] })],
    ['a rule that there is not', () => approval('pending', { deciders: ['auto'], auto: 'widened' })],
    ['a rule that was alone', () => approval('pending', { deciders: ['auto'], auto: 'none', sole: true })],
    ['somebody alone, with somebody else', () => approval('pending', { ...two, sole: true })],
    ['a rejection of what is approved', () => decision('reject', 'approved')],
    ['a withdrawal of what is approved', () => decision('withdraw', 'approved')],
    ['a deprecation of what waits', () => decision('deprecate', 'pending')],
    ['a deprecation of what is revoked', () => decision('deprecate', 'revoked')],
    ['a second revocation', () => decision('revoke', 'revoked')],
    ['a reinstatement by one', () => decision('reinstate', 'revoked')],
    [
      'a reinstatement by one twice',
      () => decision('reinstate', 'revoked', { deciders: ['reviewer', 'reviewer'] }),
    ],
    ['a reinstatement of what is not revoked', () => decision('reinstate', 'approved', two)],
    [
      'a withdrawal of a server',
      () => {
        const about = { target: 'server', name: 'com.example/pending', reason, deciders: ['author'] } as const
        return { v: 1, t: 'withdraw', ...about }
      },
    ],
  ])('finds %s', (_, event) => {
    expect(found(event())).toEqual([[entries.length, 'event-invalid']])
  })
})
