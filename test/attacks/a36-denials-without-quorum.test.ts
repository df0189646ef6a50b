import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { memoryInProcess, openHost, registryApi, type Host, type HostOptions, type Trust } from 'countersign'
import {
  formatManifest,
  formatVerifierKey,
  manifestDigest,
  parseStatus,
  type JsonObject,
  type Manifest,
} from 'countersign/core'
import { openKeys } from '../../src/log/keys.js'
import { openOutside } from '../../src/net/open-outside.js'
import { PATIENT_MS, startLedger } from '../support/ledger.js'
import { startWitness, type TestWitness } from '../support/real-witness.js'
import {
  addPublisher,
  approveManifest,
  expectStatus,
  publishManifest,
  sampleManifest,
  signManifest,
  startRegistry,
  type Publisher,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'
import { policyOf } from '../support/witness.js'

// A36: whoever holds up the witnesses holds up what the registry grants, and nothing of what it denies.

const WEATHER = 'com.example/weather'
const CLOCK = 'com.example/clock'

let dir: string
let witnesses: TestWitness[]
let registry: TestRegistry
let publisher: Publisher
let trust: Trust

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-a36-'))
  const { origin, log } = await openKeys(join(dir, 'data', 'keys'))
  const vkey = formatVerifierKey(origin, 1, log.key.publicKey)
  witnesses = await Promise.all(['w1', 'w2'].map((name) => startWitness(name, [vkey])))
  await begin(policyOf(witnesses, 'group both all w1 w2', 'quorum both'))
  registry = await startRegistry({ dir, overrides: { publishWaitMs: 60_000, witnessTimeoutMs: 20_000 } })
  publisher = await addPublisher(registry, 'com.example')
  const rootNote = await (await fetch(`${registry.url}/v1/root/1`)).text()
  trust = { identity: registry.identity, rootNote, fingerprint: registry.fingerprint }
})
afterEach(async () => {
  await registry.close()
  await Promise.all(witnesses.map((witness) => witness.remove()))
  await rm(dir, { recursive: true, force: true })
})

/** The log's first start, with witnesses in its first trust root. */
const begin = async (policy: string): Promise<void> => {
  const rollbackFile = join(dir, 'state', 'registry.rollback')
  const first = await startLedger(dir, { outside: openOutside(), people: { policy }, rollbackFile })
  await first.stop()
  await rename(first.database, join(dir, 'data', 'registry.sqlite'))
}
const draft = (server: string, version: string): Manifest => {
  const [tool] = sampleManifest(registry.identity, { server }).tools
  const definition = { ...tool!.definition, description: `What ${server} ${version} does.` }
  return sampleManifest(registry.identity, { server, version, tools: [{ definition, permissions: [] }] })
}
const release = async (manifest: Manifest): Promise<string> => {
  const published = await publishManifest(publisher, manifest)
  await approveManifest(registry.admin, published.manifest, 'a test needs it')
  return published.manifest
}
const open = (options: Partial<HostOptions> = {}): Promise<Host> =>
  openHost({
    ...{ registry: registryApi(registry.url, { timeoutMs: PATIENT_MS }), trust, memory: memoryInProcess() },
    ...options,
  })
/** `allowed`, or why its tool is not. */
const see = async (host: Host, manifest: Manifest): Promise<string> => {
  const tools: JsonObject[] = manifest.tools.map(({ definition }) => definition)
  const { allowed, withheld } = await host.review({ server: manifest.server, slot: 'test', tools })
  return allowed.length > 0 ? 'allowed' : [...new Set(withheld.map(({ code }) => code))].join()
}
/** What a host says that was never here before. */
const newcomer = async (manifest: Manifest): Promise<string> => see(await open(), manifest)
const status = async () =>
  parseStatus(new Uint8Array(await (await fetch(`${registry.url}/v1/status`)).arrayBuffer()))
const witnessesGo = (): Promise<unknown> => Promise.all(witnesses.map((witness) => witness.stop()))
const witnessesReturn = (): Promise<unknown> => Promise.all(witnesses.map((witness) => witness.start()))
/** Resolves as soon as the write is in the log; it is answered when the witnesses are back. */
const committed = async (write: Promise<Reply>): Promise<{ readonly answer: Promise<Reply> }> => {
  const { ledger } = registry.registry
  const before = ledger.committed().size
  await Promise.race([expect.poll(() => ledger.committed().size).toBeGreaterThan(before), write])
  return { answer: write }
}
const revoke = (digest: string): ReturnType<typeof committed> =>
  committed(registry.admin.post(`/v1/manifests/${digest}/revocation`, { reason: 'found hostile' }))
const denialsAreShown = (): Promise<unknown> => expect.poll(status).toHaveProperty('denials')

describe('A36 denials without the quorum', () => {
  it('are honoured, by hosts that were there before and by those that come', async () => {
    const [weather, clock] = [draft(WEATHER, '1.0.0'), draft(CLOCK, '1.0.0')]
    const digest = await release(weather)
    await release(clock)
    const host = await open()
    expect(await see(host, weather)).toBe('allowed')

    await witnessesGo()
    const before = await status()
    const { answer } = await revoke(digest)
    await denialsAreShown()
    expect((await status()).checkpoint).toBe(before.checkpoint)
    await host.refresh()
    expect(await see(host, weather)).toBe('revoked')
    expect(await newcomer(weather)).toBe('revoked')
    // Nothing else is lost while the witnesses are away.
    expect(await see(host, clock)).toBe('allowed')
    expect(await newcomer(clock)).toBe('allowed')

    await witnessesReturn()
    expectStatus(201, await answer)
    expect(await status()).not.toHaveProperty('denials')
    await host.refresh()
    expect(await see(host, weather)).toBe('revoked')
    expect(await newcomer(weather)).toBe('revoked')
    expect(await see(host, clock)).toBe('allowed')
  })

  it('are all that counts: what is granted meanwhile waits', async () => {
    const [first, second] = [draft(WEATHER, '1.0.0'), draft(WEATHER, '1.1.0')]
    const digest = await release(first)
    const host = await open()
    expect(await see(host, first)).toBe('allowed')

    await witnessesGo()
    const envelope = signManifest(second, publisher.key)
    const published = await committed(publisher.caller.post('/v1/manifests', envelope))
    const granted = manifestDigest(formatManifest(second))
    const { body } = await registry.admin.get(`/v1/review/${granted}`)
    const decision = { after: body.last, override: 'a test needs it' }
    const approved = await committed(registry.admin.post(`/v1/review/${granted}/approval`, decision))
    await host.refresh()
    expect(await see(host, second)).toBe('definition-changed')
    expect(await newcomer(second)).not.toBe('allowed')
    expect(await see(host, first)).toBe('allowed')
    expect(await status()).not.toHaveProperty('denials')

    // The denial stands in the same unpublished tree as the grant, and brings none of it along.
    const revoked = await revoke(digest)
    await denialsAreShown()
    await host.refresh()
    expect(await see(host, first)).toBe('revoked')
    expect(await see(host, second)).not.toBe('allowed')
    expect(await newcomer(second)).not.toBe('allowed')

    await witnessesReturn()
    for (const { answer } of [published, approved, revoked]) expectStatus(201, await answer)
    await host.refresh()
    await expect(host.verify(WEATHER, '1.0.0')).rejects.toMatchObject({ code: 'revoked' })
    expect(await see(host, first)).not.toBe('allowed')
    expect(await newcomer(second)).toBe('allowed')
  })

  it('count with too few witnesses as well as with none', async () => {
    const weather = draft(WEATHER, '1.0.0')
    const digest = await release(weather)
    const host = await open()
    expect(await see(host, weather)).toBe('allowed')
    await witnesses[0]!.stop()
    const { answer } = await revoke(digest)
    await denialsAreShown()
    await host.refresh()
    expect(await see(host, weather)).toBe('revoked')
    await witnesses[0]!.start()
    expectStatus(201, await answer)
  })
})
