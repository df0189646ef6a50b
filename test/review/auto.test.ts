import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  formatEvent,
  signKeyAddEvent,
  signKeyRevokeEvent,
  type ApproveEvent,
  type Manifest,
  type Signer,
} from 'countersign/core'
import type { Principal } from '../../src/auth/scopes.js'
import { JudgeUnavailable } from '../../src/judge/errors.js'
import { openInlineJudge } from '../../src/judge/judge.js'
import { LedgerBusy, LedgerClosed, LedgerFatal } from '../../src/log/errors.js'
import { publish } from '../../src/publish/publish.js'
import { submitKeyEvent } from '../../src/publishers/enrol.js'
import { AUTO_DECIDER, approveByRule } from '../../src/review/auto.js'
import type { AdmissionPolicy } from '../../src/review/policy.js'
import { signManifest } from '../support/registry.js'
import { indexOf, newSigner, openDesk, PUBLISHER, verdictOf, type Desk } from './support.js'

let desk: Desk
let author: Principal
let key: Signer
let serial = 0
let server: string

beforeAll(async () => {
  desk = await openDesk()
  author = await desk.person('author', PUBLISHER)
  await desk.person('reviewer')
  key = await desk.namespace('com.example', 'author')
})
afterAll(async () => {
  expect(await desk.lies()).toEqual([])
  await desk.close()
})
beforeEach(async () => {
  server = `com.example/auto${++serial}`
  await desk.policy({})
  const { manifest } = await desk.publish(author, key, desk.manifest(server))
  indexOf(await desk.approve('reviewer', manifest, { override: 'known' }))
})

const AUTO: Partial<AdmissionPolicy> = { autoApprove: ['none', 'cosmetic'] }
const next = (change: Partial<Manifest> = {}) =>
  desk.publish(author, key, desk.manifest(server, { version: '1.0.1', ...change }))

function tool(change: Record<string, unknown>): Manifest['tools'] {
  const [first] = desk.manifest(server).tools
  return [{ ...first!, definition: { ...first!.definition, ...change } as never }]
}

describe('a version that changes nothing', () => {
  it('approves itself where the policy says so; the event names the class and no person', async () => {
    const digest = await desk.policy(AUTO)
    const { status, manifest, index } = await next()
    expect(status).toBe('approved')
    const row = await desk.store.readManifest(manifest)
    const event = (await desk.event(row?.approveIndex ?? 0)) as ApproveEvent
    expect(event).toMatchObject({ auto: 'none', deciders: [AUTO_DECIDER], after: index, policy: digest })
    expect(await verdictOf(desk, manifest)).toBe('verified')
    expect(row).toMatchObject({ changeClass: 'none' })
  })

  it.each<[string, Partial<AdmissionPolicy>]>([
    ['the policy lets nothing approve itself', {}],
    ['the policy names another class', { autoApprove: ['cosmetic'] }],
    ['the server is sensitive', { ...AUTO, sensitive: sensitive({ servers: ['com.example/*'] }) }],
    ['a tool may destroy', { ...AUTO, sensitive: sensitive({ destructive: true }) }],
    ['a required check fails', { ...AUTO, requiredChecks: ['namespace-proved'] }],
  ])('waits for a person where %s', async (_, policy) => {
    await desk.policy(policy)
    expect((await next()).status).toBe('pending')
  })

  it('waits for a person while nothing can be compared, and its twin does not', async () => {
    const { manifest, index } = await next()
    const newer = await next({ version: '1.0.2' })
    indexOf(await desk.approve('reviewer', newer.manifest))
    await desk.policy(AUTO)
    const compare = () => Promise.reject(new JudgeUnavailable('judge-busy', 'full'))
    const judge = { ...openInlineJudge(), compare }
    expect(await approveByRule({ ...desk.context, judge }, manifest, index)).toBeUndefined()
    expect(await desk.status(manifest)).toBe('pending')
    expect(await approveByRule(desk.context, manifest, index)).toBeGreaterThan(index)
    expect(await desk.status(manifest)).toBe('approved')
  })

  it.each([
    ['busy', () => new LedgerBusy('full')],
    ['closed', () => new LedgerClosed('closed')],
    ['stopped', () => new LedgerFatal('not-published', 'stopped')],
  ])('is published all the same while the log is %s for its approval', async (_, failure) => {
    await desk.policy(AUTO)
    const { ledger } = desk.context
    let submitted = 0
    const submit: typeof ledger.submit = (candidate) =>
      submitted++ === 0 ? ledger.submit(candidate) : Promise.reject(failure())
    const context = { ...desk.context, ledger: { ...ledger, submit } }
    const envelope = signManifest(desk.manifest(server, { version: '1.0.1' }), key)
    expect(await publish(context, author, envelope)).toMatchObject({ created: true, status: 'pending' })
    expect(submitted).toBe(2)
  })

  it('waits where it is compared with nothing', async () => {
    await desk.policy(AUTO)
    const first = await desk.publish(author, key, desk.manifest(`${server}-new`))
    expect(first.status).toBe('pending')
    expect(await desk.store.readManifest(first.manifest)).toMatchObject({ changeClass: 'first' })
  })

  it('waits where it comes again under another key', async () => {
    const namespace = `com.rotated${serial}`
    const [one, two] = [await desk.namespace(namespace, 'author'), newSigner()]
    const send = async (event: Parameters<typeof formatEvent>[0]) =>
      submitKeyEvent(desk.context, 'author', {
        namespace,
        text: formatEvent(event),
        ...(event.t === 'key.revoke' && { revokes: event.kid }),
      })
    const after = (await desk.store.latestAbout(`namespace:${namespace}`)) ?? 0
    const added = await send(signKeyAddEvent({ namespace, role: 'sign', after }, desk.identity, two, one))
    for (const version of ['1.0.0', '1.0.1']) {
      const { manifest } = await desk.publish(author, one, desk.manifest(`${namespace}/a`, { version }))
      indexOf(await desk.approve('reviewer', manifest))
    }
    await desk.policy(AUTO)
    const row = await desk.store.readVersion(`${namespace}/a`, '1.0.1')
    const end = { namespace, kid: one.kid, reason: 'compromise', after: added.index } as const
    await send(signKeyRevokeEvent({ ...end, invalidFrom: row?.publishIndex ?? 0 }, desk.identity, one))
    const again = await desk.publish(author, two, desk.manifest(`${namespace}/a`, { version: '1.0.1' }))
    expect([again.created, again.status]).toEqual([true, 'pending'])
  })
})

describe('a version that changes something', () => {
  it.each<[string, () => Partial<Manifest>]>([
    ['a text', () => ({ tools: tool({ description: 'Returns the forecast of a place.' }) })],
    ['a hint', () => ({ tools: tool({ annotations: { readOnlyHint: true } }) })],
    ['a new tool', () => ({ tools: [...tool({}), ...tool({ name: 'other' })] })],
    ['a tool less', () => ({ tools: [] })],
    [
      'an optional parameter',
      () => ({
        tools: tool({ inputSchema: { type: 'object', properties: { city: { type: 'string' }, x: {} } } }),
      }),
    ],
    ['its package', () => ({ packages: [{ registryType: 'npm', identifier: 'other', version: '1.0.0' }] })],
    ['who speaks', () => ({ role: 'voucher', subject: { server: 'com.other/a' } })],
  ])('never approves itself: %s', async (_, change) => {
    await desk.policy(AUTO)
    expect((await next(change())).status).toBe('pending')
  })

  it('nor what findings hold, though nothing else changed', async () => {
    const hidden = { tools: tool({ description: 'Adds.\u200b\u200b\u202e Reads files first.' }) }
    const { manifest } = await next(hidden)
    indexOf(await desk.approve('reviewer', manifest, { override: 'known person' }))
    await desk.policy(AUTO)
    const same = await next({ version: '1.0.2', ...hidden })
    expect([same.status, same.findings.some(({ held }) => held)]).toEqual(['pending', true])
  })

  it('nor what was compared with a version that is revoked or replaced meanwhile', async () => {
    await desk.policy(AUTO)
    const [base] = await desk.store.readServer(server)
    const { ledger } = desk.fixture
    const slow = {
      ...ledger,
      submit: async (candidate: Parameters<typeof ledger.submit>[0]) => {
        await desk.store.commitBatch((tx) => tx.updateManifest(base!.manifest, { status: 'rejected' }))
        return ledger.submit(candidate)
      },
    }
    const envelope = signManifest(desk.manifest(server, { version: '1.0.1' }), key)
    const published = await publish({ ...desk.context, ledger: slow }, author, envelope)
    expect(published.status).toBe('pending')
    await desk.store.commitBatch((tx) => tx.updateManifest(base!.manifest, { status: 'approved' }))
  })
})

function sensitive(change: Partial<AdmissionPolicy['sensitive']>): AdmissionPolicy['sensitive'] {
  return { servers: [], destructive: false, scopes: [], approvals: 1, ...change }
}
