import { createPublicKey, verify } from 'node:crypto'
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
import { openReceiver, type Receiver } from './receiver.js'

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
    await addAccount(at, 'one', ['auditor'])
    await addAccount(at, 'two', ['auditor'])
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
