import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  formatEvent,
  signKeyAddEvent,
  signKeyRevokeEvent,
  type Manifest,
  type Signer,
} from 'countersign/core'
import { toolDigest } from 'countersign/core'
import type { Principal } from '../../src/auth/scopes.js'
import { submitKeyEvent } from '../../src/publishers/enrol.js'
import { deprecate } from '../../src/review/decide.js'
import type { Target } from '../../src/review/lines.js'
import { ADMISSION_POLICY, type AdmissionPolicy } from '../../src/review/policy.js'
import { readReview } from '../../src/review/queue.js'
import { reinstate } from '../../src/review/reinstate.js'
import { revoke } from '../../src/review/revoke.js'
import { indexOf, newSigner, openDesk, PUBLISHER, refusal, tallyOf, type Desk } from '../review/support.js'

// A2: what an update is compared with decides how many people look at it. Whoever publishes must not choose that, and
// what was taken away must vouch for nothing.

const reason = 'a test needs it'
const AUTO: Partial<AdmissionPolicy> = { autoApprove: ['none', 'cosmetic'] }
const STRICT: Partial<AdmissionPolicy> = {
  approvals: { ...ADMISSION_POLICY.approvals, widened: 2, dangerous: 2 },
}

let desk: Desk
let owner: Principal
let reviewer: Principal
let serial = 0
let namespace: string
let server: string
let key: Signer

beforeAll(async () => {
  desk = await openDesk()
  owner = await desk.person('owner', PUBLISHER)
  reviewer = await desk.person('reviewer')
  await desk.person('second')
})
afterAll(async () => {
  expect(await desk.lies()).toEqual([])
  await desk.close()
})
beforeEach(async () => {
  namespace = `com.laundry${++serial}`
  server = `${namespace}/a`
  key = await desk.namespace(namespace, 'owner')
  await desk.policy({})
})

const version = (text: string, tools?: Manifest['tools'], by = key) =>
  desk.publish(owner, by, desk.manifest(server, { version: text, ...(tools && { tools }) }))
const approved = async (text: string, tools?: Manifest['tools']) => {
  const one = await version(text, tools)
  indexOf(await desk.approve('reviewer', one.manifest, { override: 'known' }))
  return one
}
const toolOf = (change: Record<string, unknown>): Manifest['tools'][number] => ({
  definition: {
    name: 'read',
    title: 'Read it',
    // A tool that is revoked is revoked for every test of this log.
    description: `Reads file ${serial}.`,
    inputSchema: { type: 'object' },
    ...change,
  },
  permissions: [],
})
const changeOf = async (digest: `sha256:${string}`) => (await readReview(desk.context, digest)).change
const wider = () => [
  toolOf({ annotations: { destructiveHint: true, openWorldHint: true } }),
  toolOf({ name: 'wipe' }),
]

describe('a version that looks like what was taken away', () => {
  it('does not approve itself beside a tool that is revoked wherever it stands', async () => {
    const { definition } = toolOf({})
    await approved('1.0.0', [toolOf({})])
    const target: Target = { target: 'tool', digest: toolDigest(definition) }
    await revoke(desk.context, reviewer, target, { reason })
    await desk.policy(AUTO)
    const next = await version('1.0.1', [toolOf({ title: 'READ IT' })])
    expect(next.status).toBe('pending')
    expect(await changeOf(next.manifest)).toMatchObject({ class: 'first' })
  })

  it('twin: a new title beside a tool that stands approves itself', async () => {
    await approved('1.0.0', [toolOf({})])
    await desk.policy(AUTO)
    expect((await version('1.0.1', [toolOf({ title: 'READ IT' })])).status).toBe('approved')
  })

  it('does not approve itself beside what a stolen key published', async () => {
    const thief = newSigner()
    const send = (event: Parameters<typeof formatEvent>[0]) =>
      submitKeyEvent(desk.context, 'owner', {
        namespace,
        text: formatEvent(event),
        ...(event.t === 'key.revoke' && { revokes: event.kid }),
      })
    await approved('1.0.0', [toolOf({})])
    const after = (await desk.store.latestAbout(`namespace:${namespace}`)) ?? 0
    const added = await send(signKeyAddEvent({ namespace, role: 'sign', after }, desk.identity, thief, key))
    const poison = await version('1.1.0', wider(), thief)
    indexOf(await desk.approve('reviewer', poison.manifest, { override: 'not seen' }))
    const end = { namespace, kid: thief.kid, reason: 'compromise', after: added.index } as const
    await send(signKeyRevokeEvent({ ...end, invalidFrom: poison.index }, desk.identity, thief))
    await desk.policy(AUTO)
    const again = await version('1.1.1', wider())
    expect(again.status).toBe('pending')
    expect(await changeOf(again.manifest)).toMatchObject({ class: 'widened' })
  })
})

describe('an owner who chooses what it is compared with', () => {
  it('by deprecating what stands: it still is compared with that', async () => {
    const one = await approved('1.0.0', [toolOf({})])
    await deprecate(desk.context, owner, one.manifest, { reason })
    await desk.policy(STRICT)
    const next = await version('1.0.1', wider())
    expect(await changeOf(next.manifest)).toMatchObject({ class: 'widened', base: one.manifest })
    expect(tallyOf(await desk.approve('reviewer', next.manifest, { override: 'ok' })).needed).toBe(2)
  })

  it('by revoking what stands: it takes as many persons as the worst change', async () => {
    const one = await approved('1.0.0', [toolOf({})])
    await revoke(desk.context, owner, { target: 'manifest', digest: one.manifest }, { reason })
    await desk.policy(STRICT)
    const next = await version('1.0.1', wider())
    expect(tallyOf(await desk.approve('reviewer', next.manifest, { override: 'ok' })).needed).toBe(2)
    indexOf(await desk.approve('second', next.manifest, { override: 'ok' }))
  })

  it('twin: a server that never had a version approved takes what the policy says', async () => {
    await version('0.9.0', [toolOf({})])
    await desk.policy(STRICT)
    const next = await version('1.0.0', wider())
    indexOf(await desk.approve('reviewer', next.manifest, { override: 'ok' }))
  })
})

describe('a vote', () => {
  it('counts for the comparison that the voter saw, and for no other one', async () => {
    await approved('1.0.0', [toolOf({})])
    await desk.policy({ approvals: { ...ADMISSION_POLICY.approvals, text: 2, widened: 2, dangerous: 2 } })
    const waiting = await version('1.2.0', [toolOf({ description: 'Reads a file.' })])
    expect(tallyOf(await desk.approve('reviewer', waiting.manifest))).toMatchObject({ votes: 1, needed: 2 })
    // Meanwhile another version is approved, and beside it the waiting one takes something away.
    await desk.policy({})
    await approved('1.1.0', [toolOf({}), toolOf({ name: 'other' })])
    await desk.policy({ approvals: { ...ADMISSION_POLICY.approvals, text: 2, widened: 2, dangerous: 2 } })
    expect((await readReview(desk.context, waiting.manifest)).votes).toEqual([])
    expect(tallyOf(await desk.approve('second', waiting.manifest))).toMatchObject({ votes: 1, needed: 2 })
    indexOf(await desk.approve('reviewer', waiting.manifest))
  })
})

describe('a tool that was revoked wherever it stands', () => {
  it('is reinstated by nobody who publishes it', async () => {
    const both = await desk.person(`both${serial}`, ['publisher', 'reviewer'])
    const theirs = await desk.namespace(`org.both${serial}`, both.account)
    const shared = [toolOf({ name: `shared${serial}` })]
    await desk.publish(both, theirs, desk.manifest(`org.both${serial}/a`, { tools: shared }))
    const bot = `bot${serial}`
    await desk.person(bot, ['reviewer'], both.account)
    const target: Target = { target: 'tool', digest: toolDigest(shared[0]!.definition) }
    const { index: after } = await revoke(desk.context, reviewer, target, { reason })
    const by = (account: string) => reinstate(desk.context, account, target, { after, reason })
    expect(await refusal(desk, () => by(both.account))).toBe('own-work')
    expect(await refusal(desk, () => by(bot))).toBe('own-work')
    expect(tallyOf(await by('reviewer')).votes).toBe(1)
    indexOf(await by('second'))
  })

  it('nor with a vote from before they published it', async () => {
    const late = await desk.person(`late${serial}`, ['publisher', 'reviewer'])
    const shared = [toolOf({ name: `late${serial}` })]
    const target: Target = { target: 'tool', digest: toolDigest(shared[0]!.definition) }
    const { index: after } = await revoke(desk.context, reviewer, target, { reason })
    const by = (account: string) => reinstate(desk.context, account, target, { after, reason })
    expect(tallyOf(await by(late.account)).votes).toBe(1)
    const theirs = await desk.namespace(`org.late${serial}`, late.account)
    await desk.publish(late, theirs, desk.manifest(`org.late${serial}/a`, { tools: shared }))
    expect(tallyOf(await by('reviewer')).votes).toBe(1)
    indexOf(await by('second'))
  })
})

describe('one person', () => {
  it('stays one behind a long row of service accounts', async () => {
    const root = await desk.person(`root${serial}`, ['publisher', 'reviewer'])
    let last = root.account
    for (let i = 0; i < 12; i++) {
      await desk.person(`link${serial}-${i}`, ['reviewer'], last)
      last = `link${serial}-${i}`
    }
    const theirs = await desk.namespace(`org.chain${serial}`, root.account)
    const own = await desk.publish(root, theirs, desk.manifest(`org.chain${serial}/a`))
    expect(await refusal(desk, () => desk.approve(last, own.manifest, { override: 'x' }))).toBe('own-work')
  })
})

describe('a name that was approved by mistake and taken back', () => {
  it('is measured again: the next version is held for the name, too', async () => {
    const honest = `com.settled${serial}-industries`
    const older = await desk.namespace(honest, 'owner')
    await desk.publish(owner, older, desk.manifest(`${honest}/files`))
    const squatter = await desk.person(`squatter${serial}`, PUBLISHER)
    const twin = honest.replace('-', '')
    const younger = await desk.namespace(twin, squatter.account)
    const submit = (text: string) =>
      desk.publish(squatter, younger, desk.manifest(`${twin}/files`, { version: text }))
    const first = await submit('1.0.0')
    indexOf(await desk.approve('reviewer', first.manifest, { override: 'a mistake' }))
    expect((await submit('1.0.1')).findings.map(({ rule }) => rule)).not.toContain('name-lookalike')
    await revoke(desk.context, reviewer, { target: 'manifest', digest: first.manifest }, { reason })
    const again = await submit('1.0.2')
    expect(again.findings.map(({ rule }) => rule)).toContain('name-lookalike')
    expect(await refusal(desk, () => desk.approve('reviewer', again.manifest))).toBe('finding-held')
  })
})
