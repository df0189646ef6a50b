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
import { unbury } from './buried.js'
import { asFork, goalOf, readProof, type Goal } from './proofs.js'
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
      const tree = `${view.status.checkpoint.size} ${view.root.version} ${view.standing}`
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
  const { known, refusal } = kept === undefined ? {} : await openKept(ports, view, kept)
  if (known !== undefined && !hidesTools(known, view)) return known
  try {
    const bytes = await fetchBundle(ports.api, digest)
    const verified = await verifyLoaded(ports, bytes)
    if (verified.digest === digest) await ports.memory.writeBlob(view.root.identity, name, bytes)
    return verified
  } catch (error) {
    if (known !== undefined) return known
    // Silence does not hide what is known.
    throw refusal !== undefined && isUnreachable(error) ? refusal : error
  }
}

interface Kept {
  readonly known?: VerifiedManifest
  /** Why the kept one is refused, where the registry may have a better one. */
  readonly refusal?: CountersignError
}

/** What the registry decided since then is not for the cache to say: throws what no newer bundle can mend. */
async function openKept(ports: LibraryPorts, { tombstones }: View, kept: Uint8Array): Promise<Kept> {
  try {
    return { known: await verifyLoaded(ports, kept) }
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    if (isDamage(error)) return {}
    // A bundle from before a reinstatement does not show it, nor that the content came again under another key.
    const mayBeLifted = error.code === 'revoked' && tombstones.count > 0
    if (!mayBeLifted && error.code !== 'key-revoked') throw error
    return { refusal: error }
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'registry-unreachable'
}

/** Tools that only tombstones take away: a newer bundle may show that they were given back. */
function hidesTools({ revokedTools }: VerifiedManifest, { revocations, denials }: View): boolean {
  const isListed = (tool: string): boolean => revocations.tools.has(tool) || denials?.tools.has(tool) === true
  return [...revokedTools].some((tool) => !isListed(tool))
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
  const { memory } = ports
  const opened = openBundle(bytes)
  const { view, goal } = await viewFor(ports, opened)
  const { identity } = view.root
  if (goal === undefined || opened.size === 0 || opened.size >= goal.size) {
    return verifyAgainst(ports, view, opened, [])
  }
  const kept = await readProof(memory, identity, goal)
  if (kept !== undefined) {
    try {
      return await verifyAgainst(ports, view, opened, kept)
    } catch (error) {
      if (!isDamage(error)) throw error
    }
  }
  const proof = await fetchProof(ports, opened.size, goal)
  const verified = await verifyAgainst(ports, view, opened, proof)
  await memory.writeBlob(identity, goal.name, concatBytes(...proof))
  return verified
}

/** A version approved since the last refresh is proved in a tree this host has not seen yet, or in a successor's. */
async function viewFor(
  { view }: LibraryPorts,
  opened: OpenedBundle,
): Promise<{ view: View; goal: Goal | undefined }> {
  const known = await view()
  const goal = goalOf(known, opened)
  if (goal !== undefined && opened.size <= goal.size) return { view: known, goal }
  const newer = await view(true)
  return { view: newer, goal: goalOf(newer, opened) }
}

async function verifyAgainst(
  ports: LibraryPorts,
  view: View,
  opened: OpenedBundle,
  consistency: readonly Uint8Array[],
): Promise<VerifiedManifest> {
  try {
    const verified = verifyOpened(opened, { ...view, consistency }, { now: attestedNow(view, ports) })
    await letFall(ports, view, verified)
    return verified
  } catch (error) {
    const found = await asFork(ports.api, view, opened, error)
    await keepFork(ports, view, found, opened)
    throw found
  }
}

/** PROTOCOL 11: a tombstone falls by a proved reinstatement, for good. */
async function letFall(
  { memory }: LibraryPorts,
  { root }: View,
  { lifted }: VerifiedManifest,
): Promise<void> {
  if (lifted.size === 0) return
  await memory.updateRevocations(root.identity, (old) => old && unbury(old, lifted))
}

async function fetchProof({ api }: LibraryPorts, size: number, goal: Goal): Promise<Uint8Array[]> {
  try {
    return await api.fetchConsistency(size, goal.size, goal.log)
  } catch (error) {
    throw asEvidenceError(error, 'the registry does not prove that its log only grew')
  }
}

async function keepFork(
  { memory, now }: LibraryPorts,
  view: View,
  error: unknown,
  { size }: OpenedBundle,
): Promise<void> {
  if (!(error instanceof CountersignError) || error.code !== 'equivocation') return
  const [remembered, shown] = Array.isArray(error.detail['notes']) ? (error.detail['notes'] as string[]) : []
  if (remembered === undefined || shown === undefined) return
  const seenAt = Math.floor(now() / 1000)
  const conclusive = size === view.status.checkpoint.size
  await memory.keepEvidence(view.root.identity, { notes: [remembered, shown], conclusive, seenAt })
}
