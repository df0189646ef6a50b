import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { memoryInProcess, openHost, registryApi, type Memory, type Trust } from 'countersign'
import {
  formatVerifierKey,
  openCheckpoint,
  parseStatus,
  parseTrustRoot,
  type Manifest,
} from 'countersign/core'
import { openKeys } from '../../src/log/keys.js'
import { openOutside } from '../../src/net/open-outside.js'
import type { Overrides } from '../../src/registry.js'
import { PATIENT_MS, startLedger } from '../support/ledger.js'
import { startWitness, type TestWitness } from '../support/real-witness.js'
import {
  addPublisher,
  approveManifest,
  publishManifest,
  sampleManifest,
  startRegistry,
  type Caller,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'
import { startTwin, type Twin } from '../support/twin.js'
import { policyOf } from '../support/witness.js'

// A26: one key, two registries, two histories. Whoever saw one refuses the other and has both checkpoints to show.

const opened: { close(): Promise<unknown> }[] = []
const keep = <T extends { close(): Promise<unknown> }>(one: T): T => {
  opened.push(one)
  return one
}
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close()
})

interface Scene {
  readonly registry: TestRegistry
  readonly twin: Twin
  readonly publisher: Publisher
  readonly trust: Trust
  readonly first: Manifest
}

interface SceneOptions {
  readonly dir?: string
  readonly twin?: Overrides
}

const draft = (registry: TestRegistry, server: string, version = '1.0.0'): Manifest =>
  sampleManifest(registry.identity, { server: `com.example/${server}`, version })

async function release(admin: Caller, publisher: Publisher, manifest: Manifest): Promise<void> {
  const caller = admin
  const { manifest: digest } = await publishManifest({ ...publisher, caller }, manifest)
  await approveManifest(admin, digest, 'a test needs it')
}

/** `twin`: where nothing else is said, its writes are answered when they are published, too. */
async function scene({ dir, twin: change = {} }: SceneOptions = {}): Promise<Scene> {
  const registry = keep(await startRegistry(dir === undefined ? {} : { dir }))
  const publisher = await addPublisher(registry, 'com.example')
  const first = draft(registry, 'first')
  await release(registry.admin, publisher, first)
  const rootNote = await (await fetch(`${registry.url}/v1/root/1`)).text()
  const trust = { identity: registry.identity, rootNote, fingerprint: registry.fingerprint }
  const patient = { publishWaitMs: PATIENT_MS, witnessTimeoutMs: PATIENT_MS }
  const twin = keep(await startTwin(registry, { ...patient, ...change }))
  return { registry, twin, publisher, trust, first }
}

const noteOf = async (url: string): Promise<string> =>
  parseStatus(new Uint8Array(await (await fetch(`${url}/v1/status`)).arrayBuffer())).checkpoint

function hosts({ trust, first }: Scene) {
  const tools = first.tools.map(({ definition }) => definition)
  return async (url: string, memory: Memory): Promise<string> => {
    const host = await openHost({ registry: registryApi(url, { timeoutMs: PATIENT_MS }), trust, memory })
    const { verdict, allowed } = await host.review({ server: first.server, slot: 'test', tools })
    expect(allowed.length > 0).toBe(verdict === 'verified')
    return verdict
  }
}

describe('A26 a registry with two histories, and no witness', () => {
  it('is refused by each host that saw the other one, with both checkpoints as evidence', async () => {
    const it = await scene()
    const { registry, twin, publisher, trust } = it
    const see = hosts(it)
    await release(registry.admin, publisher, draft(registry, 'here'))
    await release(twin.admin, publisher, draft(registry, 'there'))
    const here = memoryInProcess()
    const there = memoryInProcess()
    expect([await see(registry.url, here), await see(twin.url, there)]).toEqual(['verified', 'verified'])
    const notes = [await noteOf(registry.url), await noteOf(twin.url)]
    expect([await see(twin.url, here), await see(registry.url, there)]).toEqual([
      'equivocation',
      'equivocation',
    ])
    const root = parseTrustRoot(trust.rootNote)
    const log = root.logs[0]!.origin
    const key = root.logVerifiers.get(log)!
    for (const memory of [here, there]) {
      const [evidence] = (await memory.readWorld(trust.identity))?.evidence ?? []
      expect(new Set(evidence?.notes)).toEqual(new Set(notes))
      for (const note of evidence?.notes ?? []) {
        expect(openCheckpoint(note, { origin: log, key }).checkpoint.origin).toBe(log)
      }
    }
    // Refused for good, also by the one it began with.
    expect(await see(registry.url, here)).toBe('equivocation')
  })

  it('is refused where one history is longer, and told what it signed: it stops', async () => {
    let stop: (error: unknown) => void = () => undefined
    const stopped = new Promise<unknown>((resolve) => (stop = resolve))
    const it = await scene({ twin: { onFatal: (error) => stop(error) } })
    const { registry, twin, publisher, trust } = it
    const see = hosts(it)
    await release(registry.admin, publisher, draft(registry, 'here'))
    for (const name of ['there', 'elsewhere']) await release(twin.admin, publisher, draft(registry, name))
    const memory = memoryInProcess()
    expect(await see(registry.url, memory)).toBe('verified')
    expect(await see(twin.url, memory)).toBe('equivocation')
    expect((await memory.readWorld(trust.identity))?.evidence).toHaveLength(1)
    expect(await stopped).toMatchObject({ code: 'rollback' })
  })

  it('twin: a copy that only lags is the same registry', async () => {
    const it = await scene()
    const see = hosts(it)
    const memory = memoryInProcess()
    expect(await see(it.registry.url, memory)).toBe('verified')
    expect(await see(it.twin.url, memory)).toBe('verified')
    await release(it.registry.admin, it.publisher, draft(it.registry, 'here'))
    expect(await see(it.registry.url, memory)).toBe('verified')
  })
})

describe('A26 a registry with two histories, and a witness', () => {
  async function witnessed(): Promise<Scene & { witness: TestWitness }> {
    const dir = await mkdtemp(join(tmpdir(), 'countersign-a26-'))
    const { origin, log } = await openKeys(join(dir, 'data', 'keys'))
    const witness = await startWitness('w1', [formatVerifierKey(origin, 1, log.key.publicKey)])
    keep({ close: () => witness.remove() })
    keep({ close: () => rm(dir, { recursive: true, force: true }) })
    const rollbackFile = join(dir, 'state', 'registry.rollback')
    const policy = policyOf([witness], 'quorum w1')
    const first = await startLedger(dir, { outside: openOutside(), people: { policy }, rollbackFile })
    await first.stop()
    await rename(first.database, join(dir, 'data', 'registry.sqlite'))
    // Its quorum never comes.
    return { ...(await scene({ dir, twin: { publishWaitMs: 1000 } })), witness }
  }

  it('shows one of them alone: the other gets no cosignature, and publishes nothing', async () => {
    const it = await witnessed()
    const { registry, twin, publisher } = it
    const see = hosts(it)
    const memory = memoryInProcess()
    await release(registry.admin, publisher, draft(registry, 'here'))
    expect(await see(registry.url, memory)).toBe('verified')
    const before = await noteOf(twin.url)
    const server = 'com.example/there'
    const { manifest: digest } = await publishManifest(
      { ...publisher, caller: twin.admin },
      draft(registry, 'there'),
    ).catch(() => ({ manifest: '' }))
    // Committed or refused, it is seen by nobody: what the twin shows is the past that both have.
    expect((await noteOf(twin.url)).split('\n').slice(0, 3)).toEqual(before.split('\n').slice(0, 3))
    expect((await fetch(`${twin.url}/v1/bundles/${digest}`)).status).not.toBe(200)
    expect((await fetch(`${twin.url}/v1/servers/${server}/versions/1.0.0/bundle`)).status).not.toBe(200)
    expect(await see(twin.url, memory)).not.toBe('equivocation')
    expect(await see(registry.url, memory)).toBe('verified')
    expect((await memory.readWorld(it.trust.identity))?.evidence).toEqual([])
  })
})
