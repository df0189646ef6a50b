import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeKeyX, formatEvent, parseEvent, signKeyAddEvent, signNamespaceEvent } from 'countersign/core'
import type { Principal } from '../../src/auth/scopes.js'
import { publish } from '../../src/publish/publish.js'
import type { PublishContext } from '../../src/publish/inspect.js'
import { submitKeyEvent } from '../../src/publishers/enrol.js'
import { approve, signApproval } from '../../src/review/approve.js'
import { nextRoot } from '../support/ledger.js'
import { signManifest } from '../support/registry.js'
import { indexOf, newSigner, openDesk, PUBLISHER, signDraft, tallyOf, type Desk } from './support.js'

// A trust root decides from its own entry on, as every replay of the log has it, and not when the witnesses have seen it.

const [approver, authority] = [newSigner(), newSigner()]
let desk: Desk
let author: Principal
/** Where the root that names people is logged, and not published yet. */
let context: PublishContext
let key: Awaited<ReturnType<Desk['namespace']>>

beforeAll(async () => {
  desk = await openDesk()
  author = await desk.person('author', PUBLISHER)
  await desk.person('reviewer')
  key = await desk.namespace('com.example', 'author')
  await desk.policy({ autoApprove: ['none'] })
  const { manifest } = await desk.publish(author, key, desk.manifest('com.example/known'))
  indexOf(await desk.approve('reviewer', manifest))
  const { ledger } = desk.context
  const before = ledger.trustRoot()
  const people = (by: typeof approver) => ({ keys: [encodeKeyX(by.publicKey)], threshold: 1 })
  const change = { approvers: people(approver), authorities: people(authority) }
  await ledger.publishRoot(nextRoot(desk.fixture, change))
  context = { ...desk.context, ledger: { ...ledger, trustRoot: () => before } }
})
afterAll(() => desk.close())

describe('where a trust root is logged and waits for the witnesses', () => {
  it('nothing is approved without the approvers it names', async () => {
    const { manifest, index } = await desk.publish(author, key, desk.manifest('com.example/next'))
    const { draft } = tallyOf(await approve(context, 'reviewer', manifest, { after: index }))
    const signature = signDraft(draft, desk.identity, approver)
    const event = await desk.event(indexOf(await signApproval(context, 'reviewer', manifest, signature)))
    expect(event).toMatchObject({ t: 'approve', sigs: [signature] })
  })

  it('nothing approves itself', async () => {
    const envelope = signManifest(desk.manifest('com.example/known', { version: '1.0.1' }), key)
    expect(await publish(context, author, envelope)).toMatchObject({ created: true, status: 'pending' })
  })

  it('nobody owns a namespace without the authorities it names', async () => {
    const [namespace, first] = ['com.late', newSigner()]
    await desk.store.grantNamespace(namespace, 'author', 'admin')
    const event = signNamespaceEvent({ namespace, proof: 'admin', account: 'author' }, desk.identity, first)
    const enrolled = submitKeyEvent(context, 'author', { namespace, text: formatEvent(event) })
    await expect(enrolled).rejects.toMatchObject({ code: 'signature-invalid' })
  })

  it('a key that is endorsed is enrolled as before', async () => {
    const [namespace, added] = ['com.example', newSigner()]
    const after = (await desk.store.latestAbout(`namespace:${namespace}`)) ?? 0
    const event = signKeyAddEvent({ namespace, role: 'sign', after }, desk.identity, added, key)
    const { index } = await submitKeyEvent(context, 'author', { namespace, text: formatEvent(event) })
    expect(parseEvent((await desk.store.readLeaf(index)) ?? '')).toMatchObject({ kid: added.kid })
  })
})
