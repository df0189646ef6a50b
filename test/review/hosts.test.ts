import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryInProcess, openHost } from 'countersign'
import {
  addAccount,
  addPublisher,
  approveManifest,
  expectStatus,
  publishManifest,
  revokeManifest,
  sampleManifest,
  startRegistry,
  type Caller,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'

const SERVER = 'com.example/weather'
let at: TestRegistry
let reviewers: readonly Caller[]
let publisher: Publisher
let digest: string

beforeAll(async () => {
  at = await startRegistry()
  reviewers = await Promise.all(['reviewer', 'reviewer2'].map((name) => addAccount(at, name, ['reviewer'])))
  publisher = await addPublisher(at, 'com.example', await addAccount(at, 'author', ['publisher']))
  const published = await publishManifest(publisher, sampleManifest(at.identity, { server: SERVER }))
  digest = published.manifest
  await approveManifest(reviewers[0]!, digest)
})
afterAll(async () => {
  await at.close()
})

const tools = () => sampleManifest(at.identity, { server: SERVER }).tools.map(({ definition }) => definition)

/** What a host makes of the server now; a new process over the memory it is given. */
async function verdict(memory = memoryInProcess()): Promise<string> {
  const rootNote = await (await fetch(`${at.url}/v1/root/1`)).text()
  const trust = { identity: at.identity, rootNote, fingerprint: at.fingerprint as `sha256:${string}` }
  const host = await openHost({ registry: at.url, trust, memory })
  const review = await host.review({ server: SERVER, slot: 'test', tools: tools() })
  await host.close()
  return review.verdict
}

describe('hosts after a reinstatement', () => {
  it('accept what they never saw revoked, and what they saw: the new bundle proves the reinstatement', async () => {
    const [seeing, absent] = [memoryInProcess(), memoryInProcess()]
    expect([await verdict(seeing), await verdict(absent)]).toEqual(['verified', 'verified'])
    const after = await revokeManifest(reviewers[0]!, digest)
    expect(await verdict(seeing)).toBe('revoked')
    const path = `/v1/manifests/${digest}/reinstatement`
    const body = { after, reason: 'a false alarm' }
    expect((await reviewers[0]!.post(path, body)).body).toMatchObject({ votes: 1, needed: 2 })
    expect(await verdict()).toBe('revoked')
    expectStatus(201, await reviewers[1]!.post(path, body))
    expect(await verdict()).toBe('verified')
    expect(await verdict(absent)).toBe('verified')
    // A tombstone falls only by a reinstatement that is proved to the host: the bundle is made anew with it, and the
    // one that was served before is forgotten.
    expect(await verdict(seeing)).toBe('verified')
  })

  it('still verify what is deprecated, and an approval made under an older policy', async () => {
    const { policy, version } = (await at.admin.get('/v1/policy')).body as never as {
      policy: object
      version: number
    }
    const stricter = { ...policy, requiredChecks: ['namespace-proved'], heldFindings: 'never' }
    expectStatus(200, await at.admin.put('/v1/policy', { after: version, policy: stricter }))
    expect(await verdict()).toBe('verified')
    const path = `/v1/manifests/${digest}/deprecation`
    expectStatus(201, await publisher.caller.post(path, { reason: 'use version 2' }))
    expect(await verdict()).toBe('verified')
  })
})
