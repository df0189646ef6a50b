import {
  CountersignError,
  isVerdict,
  readBundleSize,
  registryApi,
  verifyBundle,
  verifyRevocations,
  verifyStatus,
} from 'countersign'
import { openTrustRoot, type Digest } from 'countersign/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { evidenceOfTwoLogs } from '../support/two-logs.js'
import {
  addPublisher,
  approveManifest,
  publishManifest,
  sampleManifest,
  startRegistry,
  type TestRegistry,
} from '../support/registry.js'

// What a real registry serves, with every byte of it changed to a dozen other values, left out, and doubled.

interface Served {
  readonly bytes: Uint8Array
  /** Everything that was proved, as text; throws the verdict. */
  readonly prove: (bytes: Uint8Array) => string
}

let registry: TestRegistry
let served: Readonly<Record<'bundle' | 'status', Served>>

beforeAll(async () => {
  registry = await startRegistry()
  const publisher = await addPublisher(registry, 'com.example')
  const manifest = sampleManifest(registry.identity, { server: 'com.example/weather' })
  const published = await publishManifest(publisher, manifest)
  await approveManifest(registry.admin, published.manifest)
  // Another version behind it: the bundle is proved in a tree that has grown.
  await publishManifest(publisher, { ...manifest, version: '1.1.0' })
  served = await fetchServed(published.manifest as Digest)
})

afterAll(() => registry.close())

async function fetchServed(digest: Digest): Promise<typeof served> {
  const api = registryApi(registry.url)
  const root = openTrustRoot((await api.fetchRoot('latest')) ?? '')
  const [bundle, statusBytes] = [await api.fetchBundle(digest), await api.fetchStatus()]
  const status = verifyStatus(statusBytes, root)
  const revocations = verifyRevocations(await api.fetchRevocations(status.revocationsHex), status)
  const consistency = await api.fetchConsistency(readBundleSize(bundle), status.checkpoint.size)
  const context = { root, status, revocations, consistency }
  const now = Date.now()
  return {
    bundle: { bytes: bundle, prove: (bytes) => asText(verifyBundle(bytes, context, { now })) },
    status: {
      bytes: statusBytes,
      prove: (bytes) => {
        const { checkpoint, snapshot, attestedAt, independentWitnesses } = verifyStatus(bytes, root)
        return asText({ checkpoint, snapshot, attestedAt, independentWitnesses })
      },
    },
  }
}

function asText(proved: object): string {
  return JSON.stringify(proved, (_, value: unknown) => {
    if (value instanceof Map) return [...(value as Map<unknown, unknown>)]
    if (value instanceof Set) return [...(value as Set<unknown>)]
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
  })
}

function outcome({ prove }: Served, bytes: Uint8Array): string {
  try {
    return prove(bytes)
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    return isVerdict(error.code) ? 'refused' : `no verdict: ${error.code}`
  }
}

/** Every bit alone, and the bytes that mean something in JSON, base64 and notes. */
function valuesFor(byte: number): number[] {
  const flips = Array.from({ length: 8 }, (_, bit) => byte ^ (1 << bit))
  const marks = [0x00, 0xff, 0x80, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x30, 0x5c, 0x3d, (byte + 1) & 0xff]
  return [...new Set([...flips, ...marks])].filter((value) => value !== byte)
}

function* changesOf(bytes: Uint8Array): Generator<{ what: string; changed: Uint8Array }> {
  for (const [at, byte] of bytes.entries()) {
    for (const value of valuesFor(byte)) {
      const changed = bytes.slice()
      changed[at] = value
      yield { what: `byte ${at}: ${byte} -> ${value}`, changed }
    }
    yield {
      what: `byte ${at} left out`,
      changed: Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1)]),
    }
    yield {
      what: `byte ${at} twice`,
      changed: Uint8Array.from([...bytes.subarray(0, at + 1), ...bytes.subarray(at)]),
    }
  }
}

function assertMutationsRefused(name: string, evidence: Served): void {
  const honest = outcome(evidence, evidence.bytes)
  expect(honest.startsWith('{')).toBe(true)
  const wrong: string[] = []
  let refused = 0
  let same = 0
  for (const { what, changed } of changesOf(evidence.bytes)) {
    const found = outcome(evidence, changed)
    if (found === 'refused') refused += 1
    else if (found === honest) same += 1
    else wrong.push(`${what}: ${found.slice(0, 100)}`)
  }
  console.log(`${name}: ${evidence.bytes.length} bytes, ${refused} changes refused, ${same} without effect`)
  expect(wrong).toEqual([])
  expect(refused).toBeGreaterThan(evidence.bytes.length * 10)
}

describe.each(['bundle', 'status'] as const)('a %s of a real registry', (name) => {
  it('is refused or proves the same, whatever byte is changed to whatever', () => {
    assertMutationsRefused(name, served[name])
  })
})

describe.each(evidenceOfTwoLogs())('a $name', ({ name, bytes, prove }) => {
  it('is refused or proves the same, whatever byte is changed to whatever', () => {
    assertMutationsRefused(name, { bytes, prove: (changed) => asText(prove(changed) as object) })
  })
})
