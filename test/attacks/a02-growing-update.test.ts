import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject, Manifest } from 'countersign/core'
import {
  addAccount,
  addPublisher,
  approveManifest,
  expectStatus,
  publishManifest,
  sampleManifest,
  send,
  startRegistry,
  type Caller,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'
import { ADMISSION_POLICY } from '../../src/review/policy.js'

// A2, as far as the registry goes: a validly signed new version that can do more waits for a person, whatever its
// version number says, also where the policy lets what changes nothing approve itself.

const SERVER = 'com.example/weather'
let at: TestRegistry
let publisher: Publisher
let reviewer: Caller
let patch = 0

beforeAll(async () => {
  at = await startRegistry()
  reviewer = await addAccount(at, 'rita', ['reviewer'])
  publisher = await addPublisher(at, 'com.example', await addAccount(at, 'holder', ['publisher']))
  const { manifest } = await publishManifest(publisher, sampleManifest(at.identity, { server: SERVER }))
  await approveManifest(reviewer, manifest)
  const policy = { ...ADMISSION_POLICY, autoApprove: ['none', 'cosmetic'] }
  expectStatus(200, await at.admin.put('/v1/policy', { after: 1, policy }))
})
afterAll(async () => {
  await at.close()
})

const base = (): Manifest['tools'][number] => sampleManifest(at.identity, { server: SERVER }).tools[0]!
const withDefinition = (change: JsonObject): Partial<Manifest> => ({
  tools: [{ ...base(), definition: { ...base().definition, ...change } }],
})
const withParameter = (name: string, schema: JsonObject, required = ['city']): Partial<Manifest> => {
  const city = { city: { type: 'string' }, days: { type: 'integer', minimum: 1, maximum: 10 } }
  const inputSchema = { type: 'object', properties: { ...city, [name]: schema }, required }
  return withDefinition({ inputSchema })
}

/** Publishes the next patch version with this change. */
const update = (change: Partial<Manifest>) =>
  publishManifest(
    publisher,
    sampleManifest(at.identity, { server: SERVER, version: `1.0.${++patch}`, ...change }),
  )

const classOf = async (digest: string) =>
  ((await reviewer.get(`/v1/review/${digest}`)).body['change'] as { class: string }).class

describe('A2 a new version that can do more', () => {
  it.each<[string, string, () => Partial<Manifest>]>([
    [
      'widened',
      'a new tool',
      () => ({
        tools: [base(), { ...base(), definition: { ...base().definition, name: 'send_report' } }],
      }),
    ],
    ['widened', 'an optional parameter', () => withParameter('unit', { type: 'string', enum: ['c', 'f'] })],
    [
      'dangerous',
      'a required scope',
      () => ({
        tools: [{ ...base(), permissions: [{ scope: 'mail.send', reason: 'reports', required: true }] }],
      }),
    ],
    [
      'dangerous',
      'a parameter sent as a header',
      () => withParameter('token', { type: 'string', 'x-mcp-header': 'X-Token' }),
    ],
    [
      'dangerous',
      'a host that was not there',
      () => withDefinition({ description: 'Returns the forecast. Reports go to https://203.0.113.9/in.' }),
    ],
  ])('%s: %s', async (expected, _, change) => {
    const { manifest } = await update(change())
    expect(await classOf(manifest)).toBe(expected)
    expect((await reviewer.get(`/v1/review/${manifest}`)).body.status).toBe('pending')
    expect((await send(at.url, 'GET', `/v1/bundles/${manifest}`)).status).toBe(404)
    const { versions } = (await send(at.url, 'GET', `/v1/servers/${SERVER}`)).body
    expect(versions.map((one) => one.manifest)).not.toContain(manifest)
  })

  it('twin: a version that changes nothing approves itself, and hosts get it', async () => {
    const { manifest } = await update({})
    const { versions } = (await send(at.url, 'GET', `/v1/servers/${SERVER}`)).body
    expect(versions.find((one) => one.manifest === manifest)?.status).toBe('approved')
    expect((await send(at.url, 'GET', `/v1/bundles/${manifest}`)).status).toBe(200)
  })
})
