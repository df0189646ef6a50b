import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  formatEvent,
  type ApproveEvent,
  type DecisionEvent,
  type Digest,
  type LogEvent,
  type Signer,
} from 'countersign/core'
import { openReplay } from '../../client/src/cli/replay.js'
import type { Principal } from '../../src/auth/scopes.js'
import { deprecate, reject, withdraw } from '../../src/review/decide.js'
import { reinstate } from '../../src/review/reinstate.js'
import { revoke } from '../../src/review/revoke.js'
import { POLICY_DIGEST } from '../../src/review/policy.js'
import { indexOf, openDesk, PUBLISHER, type Desk } from './support.js'

// Whoever replays the log finds what a registry must not have logged about manifests.

let desk: Desk
let alice: Principal
let rita: Principal
let key: Signer
let entries: LogEvent[]
const digests = {} as Record<
  'pending' | 'approved' | 'rejected' | 'withdrawn' | 'deprecated' | 'revoked',
  Digest
>
const reason = 'a test needs it'

beforeAll(async () => {
  desk = await openDesk()
  alice = await desk.person('alice', PUBLISHER)
  rita = await desk.person('rita')
  await desk.person('rob')
  key = await desk.namespace('com.example', 'alice')
  for (const name of ['pending', 'approved', 'rejected', 'withdrawn', 'deprecated', 'revoked'] as const) {
    digests[name] = (await desk.publish(alice, key, desk.manifest(`com.example/${name}`))).manifest
  }
  const after = await desk.last(digests.rejected)
  await reject(desk.context, 'rita', digests.rejected, { after, reason })
  await withdraw(desk.context, alice, digests.withdrawn, { reason })
  for (const name of ['approved', 'deprecated', 'revoked'] as const) await desk.approve('rita', digests[name])
  await deprecate(desk.context, rita, digests.deprecated, { reason })
  const target = { target: 'manifest', digest: digests.revoked } as const
  const first = await revoke(desk.context, rita, target, { reason })
  await reinstate(desk.context, 'rita', target, { after: first.index, reason })
  indexOf(await reinstate(desk.context, 'rob', target, { after: first.index, reason }))
  await revoke(desk.context, rita, target, { reason })
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
  return { v: 1, t: 'approve', ...about, deciders: ['rita'], after: lastAbout(manifest), ...change }
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
    deciders: ['rita'],
    after: lastAbout(digest),
    ...change,
  }
}

const two = { deciders: ['rita', 'rob'] }

describe('a replay of the decisions', () => {
  it('finds nothing in what the registry logged', async () => {
    expect(await desk.lies()).toEqual([])
  })

  it.each<[string, () => LogEvent]>([
    ['an approval of what waits', () => approval('pending')],
    ['an approval of what was rejected', () => approval('rejected')],
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
    ['an approval by one person twice', () => approval('pending', { deciders: ['rita', 'rita'] })],
    ['a rejection of what is approved', () => decision('reject', 'approved')],
    ['a withdrawal of what is approved', () => decision('withdraw', 'approved')],
    ['a deprecation of what waits', () => decision('deprecate', 'pending')],
    ['a deprecation of what is revoked', () => decision('deprecate', 'revoked')],
    ['a second revocation', () => decision('revoke', 'revoked')],
    ['a reinstatement by one', () => decision('reinstate', 'revoked')],
    ['a reinstatement by one twice', () => decision('reinstate', 'revoked', { deciders: ['rita', 'rita'] })],
    ['a reinstatement of what is not revoked', () => decision('reinstate', 'approved', two)],
    [
      'a withdrawal of a server',
      () => {
        const about = { target: 'server', name: 'com.example/pending', reason, deciders: ['alice'] } as const
        return { v: 1, t: 'withdraw', ...about }
      },
    ],
  ])('finds %s', (_, event) => {
    expect(found(event())).toEqual([[entries.length, 'event-invalid']])
  })
})
