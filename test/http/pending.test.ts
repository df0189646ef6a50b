import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatVerifierKey, openCheckpoint, parseStatus, type Signer } from 'countersign/core'
import { signCheckpoint } from '../../src/log/head.js'
import { openKeys, type RegistryKeys } from '../../src/log/keys.js'
import type { Registry } from '../../src/registry.js'
import { openInFolder } from '../support/in-folder.js'
import { nextRoot, PATIENT_MS } from '../support/ledger.js'
import {
  addAccount,
  addPublisher,
  approveManifest,
  callerOf,
  publishManifest,
  sampleManifest,
  send,
  signManifest,
  startRegistry,
  type Caller,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'
import { policyOf, startFakeWitness, type FakeWitness } from '../support/witness.js'

// A registry whose one witness is down: what is logged is accepted, denied at once, and shown to nobody as approved.

let first: TestRegistry
let url: string
let registry: Registry
let stop: () => Promise<void>
let keys: RegistryKeys
let witness: FakeWitness
let publisher: Caller
let reviewer: Caller
let envelope: string
let old: string
let key: Signer

beforeAll(async () => {
  first = await startRegistry()
  keys = await openKeys(join(first.dir, 'data', 'keys'))
  witness = await startFakeWitness('w1', formatVerifierKey(keys.origin, 1, keys.log.key.publicKey))
  const owner = await addPublisher(first, 'com.example', await addAccount(first, 'owner', ['publisher']))
  const { client } = await addAccount(first, 'reviewer', ['reviewer'])
  const sample = (version: string) =>
    sampleManifest(first.identity, { server: 'com.example/weather', version })
  old = (await publishManifest(owner, sample('1.0.0'))).manifest
  await approveManifest(callerOf(first.url, client), old)
  key = owner.key
  envelope = signManifest(sample('2.0.0'), owner.key)
  const policy = policyOf([witness], `quorum ${witness.name}`)
  await first.registry.ledger.publishRoot(nextRoot({ ledger: first.registry.ledger, keys }, { policy }))
  await first.registry.close()
  await reopen()
  publisher = callerOf(url, owner.caller.client, 'registry:publish')
  reviewer = callerOf(url, client, 'registry:review')
})
afterAll(async () => {
  await stop()
  await first.close()
  await witness.close()
})

/** The same folder again, where nobody waits for the quorum. */
async function reopen(): Promise<void> {
  const { dir, secrets } = first
  const opened = await openInFolder(dir, {
    secrets,
    overrides: { publishWaitMs: 1, witnessTimeoutMs: PATIENT_MS },
  })
  registry = opened.registry
  url = opened.url
  stop = opened.close
}

const get = (path: string): Promise<Reply> => send(url, 'GET', path)
const isPublished = (): boolean => registry.ledger.publishedSize() === registry.ledger.committed().size
const published = () => expect.poll(isPublished).toBe(true)
const pending = ({ status, body, headers }: Reply): number => {
  expect([status, body['published'], headers.get('location')]).toEqual([
    ...[202, false, `/v1/log/entries/${body.index}`],
  ])
  return body.index
}
const report = (note: string, type = 'text/plain'): Promise<Reply> =>
  send(url, 'POST', '/v1/log/seen', { body: note, headers: { 'content-type': type } })

describe('while the witnesses are late', () => {
  it('answers 202 with where to look, the same again for the same, and 201 never', async () => {
    await published()
    witness.isDown = true
    const answer = await publisher.post('/v1/manifests', envelope)
    const index = pending(answer)
    expect(answer.body).toMatchObject({ status: 'pending', version: '2.0.0' })
    expect(pending(await publisher.post('/v1/manifests', envelope))).toBe(index)
    const entry = await get(answer.headers.get('location')!)
    expect([entry.status, entry.body, entry.headers.get('cache-control')]).toEqual([
      ...[200, { index, published: false }, 'no-store'],
    ])
    expect((await get(`/v1/log/entries/${index + 2}`)).status).toBe(404)
    expect((await get('/v1/log/entries/01')).status).toBe(400)
    expect((await get('/v1/log/entries/-1')).status).toBe(400)
  })

  it('shows an approval to nobody until it is published', async () => {
    const { manifest } = (await publisher.post('/v1/manifests', envelope)).body
    const { body } = await reviewer.get(`/v1/review/${manifest}`)
    pending(await reviewer.post(`/v1/review/${manifest}/approval`, { after: body.last }))
    expect((await get(`/v1/bundles/${manifest}`)).status).toBe(404)
    expect((await get('/v1/servers/com.example/weather/versions/2.0.0/bundle')).status).toBe(404)
    expect((await get(`/v1/manifests/${manifest}`)).status).toBe(404)
    const listed = async (caller?: Caller) =>
      (await (caller?.get('/v1/servers/com.example/weather') ?? get('/v1/servers/com.example/weather'))).body
        .versions
    expect((await listed()).map(({ version }) => version)).toEqual(['1.0.0'])
    expect((await listed(publisher)).map(({ status }) => status)).toEqual(['pending', 'approved'])
    expect((await get('/v1/servers')).body.servers).toEqual([{ server: 'com.example/weather' }])
  })

  it('denies at once, in the status and under its own signature alone', async () => {
    pending(await reviewer.post(`/v1/manifests/${old}/revocation`, { reason: 'stolen' }))
    const denied = async () => parseStatus(Buffer.from((await get('/v1/status')).text)).denials
    await expect.poll(denied).toBeDefined()
    const committed = await get('/log/checkpoint.committed')
    expect(committed.headers.get('cache-control')).toBe('public, max-age=5')
    expect((await denied())!.checkpoint).toBe(committed.text)
    const log = { origin: keys.origin, key: keys.log.key }
    const { checkpoint } = openCheckpoint(committed.text, log)
    const shown = openCheckpoint((await get('/log/checkpoint')).text, log).checkpoint
    expect(checkpoint.size).toBeGreaterThan(shown.size)
    expect((await get(`/v1/consistency?from=${shown.size}&to=${checkpoint.size}`)).status).toBe(400)
    expect((await get(`/log/tile/entries/000.p/${checkpoint.size}`)).status).toBe(404)
    expect((await get('/v1/servers/com.example/weather/versions/1.0.0')).body.status).toBe('revoked')
  })

  it('shows all of it when they are back', async () => {
    witness.isDown = false
    await published()
    const again = await publisher.post('/v1/manifests', envelope)
    expect([again.status, again.body['published'], again.headers.get('location')]).toEqual([
      200,
      undefined,
      null,
    ])
    expect(again.body.status).toBe('approved')
    const size = registry.ledger.publishedSize()
    expect((await get(`/v1/log/entries/${again.body.index}`)).body).toEqual({
      ...{ index: again.body.index, published: true, size },
    })
    expect((await get(`/v1/bundles/${again.body.manifest}`)).status).toBe(200)
    expect((await get('/v1/servers/com.example/weather/versions/2.0.0')).body.status).toBe('approved')
    expect(parseStatus(Buffer.from((await get('/v1/status')).text)).denials).toBeUndefined()
    expect((await get('/log/checkpoint.committed')).text).toBe((await get('/log/checkpoint')).text)
  })
})

describe('a report of what somebody saw', () => {
  it('is taken as known when it is ours', async () => {
    const known = await report((await get('/log/checkpoint')).text)
    expect([known.status, known.body]).toEqual([202, { known: true }])
  })

  it('is refused when it is none, is no text, or is too large', async () => {
    const note = (await get('/log/checkpoint')).text
    expect((await report('nonsense')).body).toMatchObject({ status: 422, code: 'note-invalid' })
    expect((await report(note, 'application/json')).status).toBe(415)
    expect((await report('x'.repeat(65_537))).status).toBe(413)
    expect((await get('/v1/log/seen')).status).toBe(404)
  })

  it('ends the log when it is another history under its own signature', async () => {
    const size = registry.ledger.committed().size + 1
    const forked = await report(signCheckpoint(keys, size, new Uint8Array(32).fill(7)))
    expect([forked.status, forked.body.code]).toEqual([409, 'log-forked'])
    const other = sampleManifest(first.identity, { server: 'com.example/other' })
    const answer = await publisher.post('/v1/manifests', signManifest(other, key))
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2'])
    // Who has siblings and has stopped cannot say what is newest.
    expect((await get('/v1/status')).status).toBe(registry.store.isShared ? 503 : 200)
  })
})
