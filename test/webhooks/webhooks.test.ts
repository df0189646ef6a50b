import { createPublicKey, verify } from 'node:crypto'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  addAccount,
  addPublisher,
  approveManifest,
  publishManifest,
  sampleManifest,
  startRegistry,
  type TestRegistry,
} from '../support/registry.js'
import { openDeliveries } from '../../src/webhooks/deliver.js'
import { openWebhookKey } from '../../src/webhooks/key.js'
import { formatMessage } from '../../src/webhooks/message.js'
import { keepConfiguredWebhook } from '../../src/webhooks/webhooks.js'
import { openReceiver, type Received, type Receiver } from './receiver.js'

let at: TestRegistry
let receiver: Receiver
/** The registry's clock, moved by hand: waits are minutes. */
let clock = 0

beforeEach(async () => {
  clock = Date.now()
  at = await startRegistry({
    overrides: { now: () => clock, outside: { allow: () => true }, webhookEveryMs: 3_600_000 },
  })
  receiver = await openReceiver()
})
afterEach(async () => {
  await at.close()
  await receiver.close()
})

const types = (): string[] => receiver.received.map(({ body }) => (JSON.parse(body) as { type: string }).type)

function isSigned(publicKey: string, { headers, body }: Receiver['received'][number]): boolean {
  const x = Buffer.from(publicKey.slice('whpk_'.length), 'base64').toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  const text = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`
  const signature = String(headers['webhook-signature']).replace(/^v1a,/, '')
  return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64'))
}

const runOnce = (): Promise<void> => at.registry.deliveries.runOnce()

/** Over the store: on the wire a namespace's webhook is https, which the receiver here is not. */
async function subscribe(namespace: string, account: string): Promise<string> {
  const { store } = at.registry
  const [newest] = await store.readAudit(1)
  const id = `wh-${namespace}`
  await store.createWebhook({
    ...{ id, url: receiver.url, namespace, events: [], account, cursor: newest?.id ?? 0 },
    ...{ failures: 0, nextAt: 0, disabled: false, createdAt: 0 },
  })
  return id
}

/** Something to tell of: an OAuth client of a new service account. */
function addService({ admin }: TestRegistry, name: string): Promise<unknown> {
  return admin.post('/v1/admin/clients', { name, roles: ['auditor'] })
}

describe('an admin’s webhook', () => {
  it('is told of what waits and what was decided, signed, in order, each once', async () => {
    const { status } = await at.admin.post('/v1/admin/webhooks', { url: receiver.url })
    expect(status).toBe(201)
    const publisher = await addPublisher(at, 'com.example')
    const reviewer = await addAccount(at, 'reviewer', ['reviewer'])
    const { manifest, index } = await publishManifest(
      publisher,
      sampleManifest(at.identity, { server: 'com.example/weather' }),
    )
    await approveManifest(reviewer, manifest)
    await at.registry.deliveries.runOnce()
    await at.registry.deliveries.runOnce()

    expect(types().filter((type) => ['publish', 'approve'].includes(type))).toEqual(['publish', 'approve'])
    const { body: key } = await at.admin.get('/v1/webhooks/key')
    const { publicKey } = key as unknown as { publicKey: string }
    for (const message of receiver.received) expect(isSigned(publicKey, message)).toBe(true)
    const [first] = receiver.received
    if (first === undefined) throw new Error('nothing came')
    expect(isSigned(publicKey, { ...first, body: first.body.replace('{', '{ ') })).toBe(false)
    const published = receiver.received.map(({ body }) => JSON.parse(body) as { type: string; data: object })
    expect(published.find(({ type }) => type === 'publish')?.data).toMatchObject({
      ...{ server: 'com.example/weather', version: '1.0.0', namespace: 'com.example', manifest, index },
    })
    const ids = receiver.received.map(({ headers }) => headers['webhook-id'])
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('is tried again later with the same id, and loses nothing', async () => {
    await at.admin.post('/v1/admin/webhooks', { url: receiver.url, events: ['client.create'] })
    await addService(at, 'one')
    await addService(at, 'two')
    const tried: unknown[] = []
    receiver.answer = ({ headers }) => {
      tried.push(headers['webhook-id'])
      return 500
    }
    await at.registry.deliveries.runOnce()
    await at.registry.deliveries.runOnce()
    expect(tried).toHaveLength(1)
    clock += 60_000
    receiver.answer = () => 204
    await at.registry.deliveries.runOnce()
    expect(types()).toEqual(['client.create', 'client.create'])
    expect(receiver.received[0]?.headers['webhook-id']).toBe(tried[0])
  })

  it('is told of another thing by another id, also where a backup gave its number again', async () => {
    const key = await openWebhookKey(join(at.dir, 'data', 'oauth'))
    const record = { id: 7, at: 1000, account: 'admin', action: 'client.create', target: 'x', detail: '{}' }
    const idOf = (one: typeof record): string | undefined =>
      formatMessage(one, {}, { webhook: 'wh-1', key, now: clock++ }).headers['webhook-id']
    expect(idOf(record)).toBe(idOf(record))
    expect(idOf({ ...record, at: 2000, action: 'revoke' })).not.toBe(idOf(record))
  })

  it('is told that a version waits until its approval is published', async () => {
    await at.admin.post('/v1/admin/webhooks', { url: receiver.url, events: ['publish'] })
    const publisher = await addPublisher(at, 'com.example')
    const reviewer = await addAccount(at, 'reviewer', ['reviewer'])
    const manifest = sampleManifest(at.identity, { server: 'com.example/weather' })
    const published = await publishManifest(publisher, manifest)
    const approved = await approveManifest(reviewer, published.manifest)
    const key = await openWebhookKey(join(at.dir, 'data', 'oauth'))
    const { store, outside } = at.registry.rooms.context
    const deliveries = openDeliveries({
      ...{ store, outside, key, now: () => clock, log: pino({ level: 'silent' }) },
      ...{ publishedEnd: () => approved, everyMs: 3_600_000 },
    })
    await deliveries.runOnce()
    await deliveries.close()
    const told = receiver.received.map(({ body }) => (JSON.parse(body) as { data: { status: string } }).data)
    expect(told.map(({ status }) => status)).toEqual(['pending'])
  })

  it('is disabled when it says that it is gone, and works again after a test', async () => {
    const { body } = await at.admin.post('/v1/admin/webhooks', { url: receiver.url })
    const { id } = body as unknown as { id: string }
    receiver.answer = () => 410
    await at.registry.deliveries.runOnce()
    const disabled = async (): Promise<unknown> =>
      ((await at.admin.get('/v1/admin/webhooks')).body as unknown as { webhooks: { disabled: boolean }[] })
        .webhooks[0]?.disabled
    expect(await disabled()).toBe(true)
    receiver.answer = () => 204
    const test = await at.admin.post(`/v1/admin/webhooks/${id}/test`, {})
    expect(test.body).toMatchObject({ delivered: true, status: 204 })
    expect(await disabled()).toBe(false)
  })
})

describe('a namespace’s webhook', () => {
  it('is told of that namespace alone', async () => {
    const publisher = await addPublisher(at, 'com.example', await addAccount(at, 'own', ['publisher']))
    const other = await addPublisher(at, 'org.example', await addAccount(at, 'other', ['publisher']))
    const added = await publisher.caller.post('/v1/namespaces/com.example/webhooks', {
      url: receiver.url.replace('http:', 'https:'),
    })
    expect(added.status).toBe(201)
    const foreign = await other.caller.post('/v1/namespaces/com.example/webhooks', {
      url: 'https://a.example/',
    })
    expect(foreign).toMatchObject({ status: 403, body: { code: 'namespace-not-granted' } })
    const { id } = added.body as unknown as { id: string }
    const path = `/v1/namespaces/org.example/webhooks/${id}/test`
    expect((await other.caller.post(path, {})).body).toMatchObject({ code: 'webhook-unknown' })
  })

  it('is https, and never of the registry’s own network', async () => {
    await at.close()
    at = await startRegistry()
    const publisher = await addPublisher(at, 'com.example', await addAccount(at, 'own', ['publisher']))
    const add = (url: string) => publisher.caller.post('/v1/namespaces/com.example/webhooks', { url })
    expect((await add(receiver.url)).body).toMatchObject({ code: 'webhook-invalid' })
    const { body } = await add(receiver.url.replace('http:', 'https:'))
    const { id } = body as unknown as { id: string }
    const test = await publisher.caller.post(`/v1/namespaces/com.example/webhooks/${id}/test`, {})
    expect(test.body).toMatchObject({ delivered: false, status: null })
    expect(receiver.received).toEqual([])
  })
})

describe('the webhook of the configuration', () => {
  it('is told, and never shown with what its path says', async () => {
    const { context } = at.registry.rooms
    await keepConfiguredWebhook(context, `${receiver.url}/secret-path`)
    await addService(at, 'one')
    await runOnce()
    expect(types()).toContain('client.create')
    const { text } = await at.admin.get('/v1/admin/webhooks')
    expect(text).toContain(new URL(receiver.url).origin)
    expect(text).not.toContain('secret-path')
  })
})

describe('a slow receiver', () => {
  /** Holds every message until it is let go. */
  async function openSlow(): Promise<Receiver & { asked: Received[]; release: () => void }> {
    const slow = await openReceiver()
    const asked: Received[] = []
    const waiting: (() => void)[] = []
    let isReleased = false
    slow.answer = async (got) => {
      asked.push(got)
      if (!isReleased) await new Promise<void>((go) => waiting.push(go))
      return 204
    }
    const release = (): void => {
      isReleased = true
      for (const go of waiting) go()
    }
    return Object.assign(slow, { asked, release })
  }

  const event = (name: string) => addService(at, name)

  it('holds up nobody else', async () => {
    const slow = await openSlow()
    await at.admin.post('/v1/admin/webhooks', { url: slow.url, events: ['client.create'] })
    await event('one')
    const first = runOnce()
    await expect.poll(() => slow.asked).toHaveLength(1)
    await at.admin.post('/v1/admin/webhooks', { url: receiver.url, events: ['client.create'] })
    await event('two')
    const second = runOnce()
    await expect.poll(types).toEqual(['client.create'])
    // Whoever is being told is not told the same again meanwhile.
    expect(slow.asked).toHaveLength(1)
    slow.release()
    await Promise.all([first, second])
    await slow.close()
  })

  it('does not keep the registry from closing, and is told the rest by the next one', async () => {
    const slow = await openSlow()
    await at.admin.post('/v1/admin/webhooks', { url: slow.url, events: ['client.create'] })
    for (const name of ['one', 'two', 'three']) await event(name)
    const look = runOnce()
    await expect.poll(() => slow.asked).toHaveLength(1)
    const restarted = at.restart()
    const isGone = () =>
      fetch(`${at.url}/healthz`).then(
        () => false,
        () => true,
      )
    await expect.poll(isGone).toBe(true)
    slow.release()
    await look
    at = await restarted
    expect(slow.asked).toHaveLength(1)
    await runOnce()
    const ids = slow.received.map(({ headers }) => headers['webhook-id'])
    expect([slow.received.length, new Set(ids).size]).toEqual([3, 3])
    await slow.close()
  })
})

describe('at least once', () => {
  it('a receiver that took something begins anew, however often it failed before', async () => {
    const { body } = await at.admin.post('/v1/admin/webhooks', {
      ...{ url: receiver.url, events: ['client.create'] },
    })
    const id = String(body['id'])
    await at.registry.store.updateWebhook(id, { failures: 27 })
    for (const name of ['one', 'two']) await addService(at, name)
    receiver.answer = () => (receiver.received.length === 0 ? 204 : 500)
    await runOnce()
    expect(await at.registry.store.readWebhook(id)).toMatchObject({ failures: 1, disabled: false })
  })

  it('a refusal that talks much is a refusal', async () => {
    await at.admin.post('/v1/admin/webhooks', { url: receiver.url, events: ['client.create'] })
    await addService(at, 'one')
    receiver.answer = () => 500
    receiver.text = 'x'.repeat(20_000)
    await runOnce()
    receiver.answer = () => 204
    receiver.text = ''
    clock += 60_000
    await runOnce()
    expect(types()).toEqual(['client.create'])
  })
})

describe('what a namespace’s webhook hears', () => {
  it('is of its namespace, and of no vote, comment or account', async () => {
    const publisher = await addPublisher(at, 'com.example', await addAccount(at, 'own', ['publisher']))
    const other = await addPublisher(at, 'org.example', await addAccount(at, 'other', ['publisher']))
    await subscribe('com.example', 'own')
    const reviewer = await addAccount(at, 'reviewer', ['reviewer'])
    const { manifest } = await publishManifest(
      publisher,
      sampleManifest(at.identity, { server: 'com.example/weather' }),
    )
    await publishManifest(other, sampleManifest(at.identity, { server: 'org.example/weather' }))
    await reviewer.post(`/v1/review/${manifest}/comments`, { text: 'between us' })
    await approveManifest(reviewer, manifest)
    await runOnce()
    expect(types()).toEqual(['publish', 'approve'])
    expect(JSON.stringify(receiver.received)).not.toMatch(/org\.example|between us/)
  })

  it('can be asked for by its name alone', async () => {
    const publisher = await addPublisher(at, 'com.example', await addAccount(at, 'own', ['publisher']))
    const add = (events: string[]) =>
      publisher.caller.post('/v1/namespaces/com.example/webhooks', { url: 'https://a.example/', events })
    for (const event of ['approve.vote', 'comment', 'account.create', 'aprove']) {
      expect([event, (await add([event])).body.code]).toEqual([event, 'webhook-invalid'])
    }
    expect((await add(['approve', 'namespace.absent'])).status).toBe(201)
  })

  it.each<[string, () => Promise<unknown>]>([
    [
      'the namespace is somebody else’s',
      () => at.registry.store.grantNamespace('com.example', 'heir', 'admin'),
    ],
    ['its account is disabled', () => at.registry.store.updateAccount('own', { disabled: true })],
    ['its account is no publisher', () => at.registry.store.updateAccount('own', { roles: ['auditor'] })],
  ])('ends when %s', async (_, end) => {
    await addAccount(at, 'own', ['publisher'])
    const heir = await addAccount(at, 'heir', ['publisher'])
    await at.admin.put('/v1/admin/namespaces/com.example', { account: 'own' })
    const id = await subscribe('com.example', 'own')
    await end()
    await at.registry.store.addAuditRecord({
      ...{ at: clock, account: 'heir', action: 'namespace.absent', target: 'com.example', detail: '{}' },
    })
    await runOnce()
    expect(receiver.received).toEqual([])
    expect((await at.registry.store.readWebhook(id))?.disabled).toBe(true)
    expect(heir.client.account).toBe('heir')
  })
})

describe('testing a webhook', () => {
  it('is no way to make the registry knock on doors all day', async () => {
    await at.close()
    const limits = { proofs: { points: 3, seconds: 600 } }
    at = await startRegistry({ overrides: { outside: { allow: () => true }, limits } })
    const publisher = await addPublisher(at, 'com.example', await addAccount(at, 'own', ['publisher']))
    const id = await subscribe('com.example', 'own')
    const path = `/v1/namespaces/com.example/webhooks/${id}/test`
    const statuses: number[] = []
    for (let i = 0; i < 5; i++) statuses.push((await publisher.caller.post(path, {})).status)
    expect(statuses).toEqual([200, 200, 200, 429, 429])
    expect(types()).toEqual(['ping', 'ping', 'ping'])
  })
})
