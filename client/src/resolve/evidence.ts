import { concatBytes, CountersignError, refuse, type Digest } from '../core/index.js'
import { hostNow } from '../freshness.js'
import type { Memory } from '../memory.js'
import type { RegistryApi } from '../registry-api.js'
import {
  assertNotExpired,
  openBundle,
  verifyOpened,
  type OpenedBundle,
  type VerifiedManifest,
} from '../verify.js'
import type { View } from './view.js'

/** Opens verified manifests; the same one is verified once for each state of the log. */
export interface Library {
  /**
   * PROTOCOL 10, steps 5 to 7.
   * @throws CountersignError a verdict of these steps, or `registry-unreachable`
   */
  open(
    digest: Digest,
    about: { readonly server: string; readonly version: string },
  ): Promise<VerifiedManifest>
}

export interface LibraryPorts {
  readonly api: RegistryApi
  readonly memory: Memory
  readonly now: () => number
  /** The current view; `newer` asks the registry again. */
  readonly view: (newer?: boolean) => Promise<View>
}

/** Beyond this many at once the oldest are verified again; a manifest can be 4 MiB. */
const MAX_OPEN = 64

export function openLibrary(ports: LibraryPorts): Library {
  const known = new Map<Digest, { readonly tree: string; readonly verified: VerifiedManifest }>()
  return {
    async open(digest, about) {
      const view = await ports.view()
      const tree = `${view.status.checkpoint.size} ${view.status.revocationsHex} ${view.tombstones.count} ${view.root.version}`
      const kept = known.get(digest)
      const verified = kept?.tree === tree ? kept.verified : await loadManifest(ports, digest)
      if (known.size >= MAX_OPEN) known.clear()
      known.set(digest, { tree, verified })
      assertAbout(verified, digest, about)
      assertNotExpired(verified.manifest, attestedNow(view, ports))
      return verified
    },
  }
}

/** PROTOCOL 10.4: a clock that was set back brings nothing back that expired. POSIX milliseconds. */
function attestedNow({ newestAttested }: View, { now }: LibraryPorts): number {
  return hostNow(now() / 1000, newestAttested) * 1000
}

function assertAbout(
  verified: VerifiedManifest,
  digest: Digest,
  about: { server: string; version: string },
): void {
  if (verified.digest !== digest)
    refuse('proof-invalid', 'the bundle is of another manifest', { step: 5, digest })
  if (verified.server !== about.server) {
    refuse('namespace-mismatch', 'the manifest is of another server', { step: 5, server: verified.server })
  }
  if (verified.version !== about.version) {
    refuse('version-mismatch', 'the manifest is of another version', { step: 5, version: verified.version })
  }
}

/** From the cache when that verifies, else from the registry; kept only after it verified. */
async function loadManifest(ports: LibraryPorts, digest: Digest): Promise<VerifiedManifest> {
  const view = await ports.view()
  const name = `bundle-${digest.slice('sha256:'.length)}`
  const kept = await ports.memory.readBlob(view.root.identity, name)
  if (kept !== undefined) {
    try {
      return await verifyLoaded(ports, kept)
    } catch (error) {
      // A damaged cache is as good as none; what the registry decided since then is not for the cache to say.
      if (!isDamage(error)) throw error
    }
  }
  const bytes = await fetchBundle(ports.api, digest)
  const verified = await verifyLoaded(ports, bytes)
  if (verified.digest === digest) await ports.memory.writeBlob(view.root.identity, name, bytes)
  return verified
}

const DAMAGED: ReadonlySet<string> = new Set([
  'proof-invalid',
  'checkpoint-invalid',
  'signature-invalid',
  'registry-mismatch',
  'namespace-mismatch',
  'key-unknown',
])

function isDamage(error: unknown): boolean {
  return error instanceof CountersignError && DAMAGED.has(error.code)
}

/** A registry that lists a version and has no bundle for it shows no evidence. */
async function fetchBundle(api: RegistryApi, digest: Digest): Promise<Uint8Array> {
  try {
    return await api.fetchBundle(digest)
  } catch (error) {
    throw asEvidenceError(error, 'there is no bundle for a version the registry lists')
  }
}

function asEvidenceError(error: unknown, message: string): unknown {
  if (!(error instanceof CountersignError) || error.code !== 'registry-error') return error
  return new CountersignError('proof-invalid', message, { step: 5, ...error.detail }, { cause: error })
}

async function verifyLoaded(ports: LibraryPorts, bytes: Uint8Array): Promise<VerifiedManifest> {
  const opened = openBundle(bytes)
  const { size } = opened
  // A version approved since the last refresh is proved in a tree this host has not seen yet.
  const known = await ports.view()
  const view = size > known.status.checkpoint.size ? await ports.view(true) : known
  const to = view.status.checkpoint.size
  if (size === 0 || size >= to) return verifyAgainst(ports, view, opened, [])
  const kept = await readProof(ports, view, size)
  if (kept !== undefined) {
    try {
      return await verifyAgainst(ports, view, opened, kept)
    } catch (error) {
      if (!isDamage(error)) throw error
    }
  }
  const proof = await fetchProof(ports, size, to)
  const verified = await verifyAgainst(ports, view, opened, proof)
  await ports.memory.writeBlob(view.root.identity, proofName(size, to), concatBytes(...proof))
  return verified
}

async function verifyAgainst(
  ports: LibraryPorts,
  view: View,
  opened: OpenedBundle,
  consistency: readonly Uint8Array[],
): Promise<VerifiedManifest> {
  const { root, status, revocations, tombstones } = view
  const context = { root, status, revocations, tombstones, consistency }
  try {
    return verifyOpened(opened, context, { now: attestedNow(view, ports) })
  } catch (error) {
    await keepFork(ports, view, error)
    throw error
  }
}

const proofName = (from: number, to: number): string => `consistency-${from}-${to}`

async function readProof(
  { memory }: LibraryPorts,
  view: View,
  from: number,
): Promise<Uint8Array[] | undefined> {
  const bytes = await memory.readBlob(view.root.identity, proofName(from, view.status.checkpoint.size))
  if (bytes === undefined || bytes.length % 32 !== 0) return undefined
  return Array.from({ length: bytes.length / 32 }, (_, i) => bytes.slice(i * 32, i * 32 + 32))
}

async function fetchProof({ api }: LibraryPorts, from: number, to: number): Promise<Uint8Array[]> {
  try {
    return await api.fetchConsistency(from, to)
  } catch (error) {
    throw asEvidenceError(error, 'the registry does not prove that its log only grew')
  }
}

async function keepFork({ memory, now }: LibraryPorts, view: View, error: unknown): Promise<void> {
  if (!(error instanceof CountersignError) || error.code !== 'equivocation') return
  const [remembered, shown] = Array.isArray(error.detail['notes']) ? (error.detail['notes'] as string[]) : []
  if (remembered === undefined || shown === undefined) return
  const seenAt = Math.floor(now() / 1000)
  await memory.keepEvidence(view.root.identity, { notes: [remembered, shown], conclusive: true, seenAt })
}
