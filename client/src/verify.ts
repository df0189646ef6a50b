import {
  activeLog,
  decodeBase64,
  digestOf,
  envelopeDigest,
  equalBytes,
  foldServerName,
  leafHash,
  manifestDigest,
  openCheckpoint,
  parseBundle,
  parseCheckpointBody,
  parseEvent,
  parseManifest,
  parseNote,
  parseServerName,
  parseTime,
  publishLeaf,
  readEnvelopeKid,
  refuse,
  utf8Bytes,
  verifyConsistency,
  verifyEnvelope,
  verifyInclusion,
  verifyThreshold,
  type ApproveEvent,
  type Bundle,
  type Checkpoint,
  type Digest,
  type KeyAddEvent,
  type Manifest,
  type NamespaceEvent,
  type PublishEvent,
  type RevocationList,
  type TrustRoot,
} from './core/index.js'
import { indexItems, signedDigests, type ItemSet } from './verify/items.js'
import { activeKey, verifyKeyChain, type KeyChain, type PlacedEvent } from './verify/key-chain.js'
import { atStep } from './verdict.js'
import type { VerifiedStatus } from './verify/status.js'

export { verifyRevocations, verifyStatus, VerifiedStatus } from './verify/status.js'
export type { ChainKey, KeyChain } from './verify/key-chain.js'
export type { ItemSet, SignedForm, SignedItem } from './verify/items.js'

const PROVED = Symbol('proved by verifyBundle')

/** One step of PROTOCOL 10 and what it found, for people. */
export interface Step {
  readonly step: number
  readonly found: string
}

/**
 * A manifest that was signed by a key the log gives to its namespace, logged, approved and not revoked, as of one status.
 * Only {@link verifyBundle} makes one: who holds it need not ask again.
 */
export class VerifiedManifest {
  readonly manifest: Manifest
  readonly digest: Digest
  readonly server: string
  readonly version: string
  readonly role: Manifest['role']
  /** The key that signed it. */
  readonly kid: string
  readonly publishIndex: number
  readonly approveIndex: number
  readonly deciders: readonly string[]
  /** Four eyes was off, because the registry had one account. */
  readonly soleDecider: boolean
  readonly keyChain: KeyChain
  readonly items: ItemSet
  /** Tools whose definition was revoked wherever it stands, by digest. */
  readonly revokedTools: ReadonlySet<string>
  readonly independentWitnesses: number
  readonly steps: readonly Step[]
  readonly #proved = true

  /** @internal */
  constructor(token: typeof PROVED, facts: Omit<VerifiedManifest, 'isProved'>) {
    if (token !== PROVED) throw new TypeError('only verifyBundle makes a VerifiedManifest')
    this.manifest = facts.manifest
    this.digest = facts.digest
    this.server = facts.server
    this.version = facts.version
    this.role = facts.role
    this.kid = facts.kid
    this.publishIndex = facts.publishIndex
    this.approveIndex = facts.approveIndex
    this.deciders = facts.deciders
    this.soleDecider = facts.soleDecider
    this.keyChain = facts.keyChain
    this.items = facts.items
    this.revokedTools = facts.revokedTools
    this.independentWitnesses = facts.independentWitnesses
    this.steps = facts.steps
    Object.freeze(this)
  }

  /** False for look-alikes that were not made here. */
  isProved(): boolean {
    return this.#proved
  }
}

/** What a bundle is verified against. */
export interface BundleContext {
  readonly root: TrustRoot
  readonly status: VerifiedStatus
  /** The list that the status names: `verifyRevocations`. */
  readonly revocations: RevocationList
  /** Proof that the bundle's checkpoint is a prefix of the status's; none when the sizes are equal. */
  readonly consistency?: readonly Uint8Array[]
  /** Revocations this host saw before: they stay (PROTOCOL 11). */
  readonly tombstones?: RevocationList
}

/** What the bundle must be about. `now` is in POSIX milliseconds, as `Date.now()`. */
export interface BundleExpectations {
  readonly now: number
  readonly server?: string
  readonly version?: string
}

/**
 * PROTOCOL 10, steps 5 to 7: proves one version of one server from its bundle. Freshness (step 4) and memory (step 3) are
 * the caller's: see `openHost`, which does all of it.
 *
 * @throws CountersignError with a verdict code, the step in its detail, and the format error as cause where there is one
 * @example
 * const status = verifyStatus(statusBytes, root)
 * const revocations = verifyRevocations(listBytes, status)
 * const verified = verifyBundle(bundleBytes, { root, status, revocations, consistency }, { now: Date.now() })
 */
export function verifyBundle(
  bytes: Uint8Array,
  context: BundleContext,
  expect: BundleExpectations,
): VerifiedManifest {
  return verifyOpened(openBundle(bytes), context, expect)
}

/** A bundle whose shape was parsed and nothing of it proved; `size` is good for asking for the consistency proof. */
export interface OpenedBundle {
  readonly bundle: Bundle
  readonly size: number
}

/**
 * Parses a bundle. Proves nothing.
 * @throws CountersignError `proof-invalid` or `checkpoint-invalid`
 */
export function openBundle(bytes: Uint8Array): OpenedBundle {
  const bundle = atStep(5, 'proof-invalid', () => parseBundle(bytes))
  return { bundle, size: readTree(bundle).size }
}

/** {@link verifyBundle} for who asked for the size first and does not want to parse twice. */
export function verifyOpened(
  { bundle }: OpenedBundle,
  context: BundleContext,
  expect: BundleExpectations,
): VerifiedManifest {
  const { root } = context
  assertContext(context)
  // 5
  assertRegistry(bundle, root)
  const tree = verifyBundleTree(bundle, context)
  // 6
  const leaves = verifyLeaves(bundle, tree)
  const lists = revocationLists(context)
  const keyChain = atStep(6, 'signature-invalid', () =>
    verifyKeyChain(leaves.keys, {
      registry: root.identity,
      revocations: lists,
      ...(root.authorities && { authorities: root.authorities }),
    }),
  )
  const { manifest, digest, kid } = verifySigned(bundle.envelope, keyChain, leaves.publish.index)
  assertSpeaksFor(manifest, root, keyChain, expect)
  assertPublished(leaves.publish, { manifest, digest, kid, envelope: bundle.envelope })
  // 7
  assertApproved(leaves.approve, leaves.publish, { manifest, digest }, root)
  assertNotRevoked(manifest, digest, lists)
  assertNotExpired(manifest, expect.now)
  const items = indexItems(manifest)
  return new VerifiedManifest(PROVED, {
    manifest,
    digest,
    server: manifest.server,
    version: manifest.version,
    role: manifest.role,
    kid,
    publishIndex: leaves.publish.index,
    approveIndex: leaves.approve.index,
    deciders: leaves.approve.event.deciders,
    soleDecider: leaves.approve.event.sole === true,
    keyChain,
    items,
    revokedTools: revokedTools(items, lists),
    independentWitnesses: context.status.independentWitnesses,
    steps: tellSteps(context, tree, manifest, keyChain, leaves),
  })
}

/** A list that is not the snapshot's proves nothing: who passes one made a mistake, and gets a refusal. */
function assertContext({ root, status, revocations }: BundleContext): void {
  if (!status.isProved() || status.registry !== root.identity) {
    refuse('registry-mismatch', 'the status is of another registry', { step: 5 })
  }
  if (!equalBytes(revocations.root, decodeBase64(status.snapshot.revocations))) {
    refuse('proof-invalid', 'the revocation list is not the one the status names', { step: 3 })
  }
}

function assertRegistry(bundle: Bundle, root: TrustRoot): void {
  if (bundle.registry === root.identity) return
  refuse('registry-mismatch', 'the bundle is of another registry', { step: 5, expected: root.identity })
}

/**
 * The size of the tree a bundle's proofs lead to, UNVERIFIED: good for asking for the consistency proof, nothing else.
 * @throws CountersignError `proof-invalid` or `checkpoint-invalid`
 */
export function readBundleSize(bytes: Uint8Array): number {
  return openBundle(bytes).size
}

function readTree(bundle: Bundle): Checkpoint {
  return atStep(5, 'checkpoint-invalid', () => parseCheckpointBody(parseNote(bundle.checkpoint).text))
}

/** PROTOCOL 10.5: C0 is a prefix of the status's tree. Its own signatures then add nothing and are not asked for. */
function verifyBundleTree(bundle: Bundle, { root, status, consistency = [] }: BundleContext): Checkpoint {
  const tree = readTree(bundle)
  const now = status.checkpoint
  if (tree.origin !== now.origin) {
    refuse('checkpoint-invalid', 'the bundle is proved in another log', { step: 5, origin: tree.origin })
  }
  if (tree.size > now.size) {
    refuse('checkpoint-invalid', 'the bundle is newer than the status', {
      step: 5,
      size: tree.size,
      known: now.size,
    })
  }
  if (tree.size === now.size && !equalBytes(tree.root, now.root)) refuseFork(bundle, root, status)
  atStep(5, 'proof-invalid', () => verifyConsistency(tree.size, now.size, consistency, tree.root, now.root))
  return tree
}

/** Same size, other root. Signed by the log it is proof of two histories; unsigned it is any mirror's nonsense. */
function refuseFork(bundle: Bundle, root: TrustRoot, status: VerifiedStatus): never {
  atStep(5, 'checkpoint-invalid', () => openCheckpoint(bundle.checkpoint, activeLog(root)))
  return refuse('equivocation', 'the log signed two trees of one size', {
    step: 5,
    notes: [status.note, bundle.checkpoint],
  })
}

interface Leaves {
  readonly keys: readonly PlacedEvent<NamespaceEvent | KeyAddEvent>[]
  readonly publish: PlacedEvent<PublishEvent> & { readonly leaf: string }
  readonly approve: PlacedEvent<ApproveEvent>
}

/** Every event at its index in the tree; then what each is. */
function verifyLeaves(bundle: Bundle, tree: Checkpoint): Leaves {
  const keys: PlacedEvent<NamespaceEvent | KeyAddEvent>[] = []
  let publish: Leaves['publish'] | undefined
  let approve: Leaves['approve'] | undefined
  for (const leaf of bundle.events) {
    const { index } = leaf
    const event = atStep(6, 'proof-invalid', () => {
      verifyInclusion(index, tree.size, leafHash(utf8Bytes(leaf.event)), leaf.proof, tree.root)
      return parseEvent(leaf.event)
    })
    if (event.t === 'namespace' || event.t === 'key.add') keys.push({ index, event })
    else if (event.t === 'publish' && publish === undefined) publish = { index, event, leaf: leaf.event }
    else if (event.t === 'approve' && approve === undefined) approve = { index, event }
    else refuse('proof-invalid', `a ${event.t} event has no place here`, { step: 6, index })
  }
  if (publish === undefined) refuse('proof-invalid', 'the bundle shows no publication', { step: 6 })
  if (approve === undefined) refuse('pending', 'the bundle shows no approval', { step: 7 })
  return { keys, publish, approve }
}

function revocationLists({ revocations, tombstones }: BundleContext): readonly RevocationList[] {
  return tombstones === undefined ? [revocations] : [revocations, tombstones]
}

/** PROTOCOL 5: the kid selects among the keys that count at the publication; only what verified is parsed. */
function verifySigned(envelope: string, chain: KeyChain, publishIndex: number) {
  return atStep(5, 'signature-invalid', () => {
    const kid = readEnvelopeKid(envelope, 'countersign-manifest+json')
    const key = activeKey(chain, kid, 'sign', publishIndex)
    const payload = verifyEnvelope(envelope, 'countersign-manifest+json', key.publicKey)
    return { manifest: parseManifest(payload), digest: manifestDigest(payload), kid }
  })
}

function assertSpeaksFor(
  manifest: Manifest,
  root: TrustRoot,
  chain: KeyChain,
  expect: BundleExpectations,
): void {
  const { server, version } = manifest
  if (manifest.registry !== root.identity) {
    refuse('registry-mismatch', 'the manifest was signed for another registry', {
      step: 5,
      found: manifest.registry,
    })
  }
  if (parseServerName(server).namespace !== chain.namespace) {
    refuse('namespace-mismatch', 'the key is of another namespace', {
      step: 5,
      server,
      namespace: chain.namespace,
    })
  }
  if (expect.server !== undefined && expect.server !== server) {
    refuse('namespace-mismatch', 'the manifest is of another server', {
      step: 5,
      server,
      expected: expect.server,
    })
  }
  if (expect.version !== undefined && expect.version !== version) {
    refuse('version-mismatch', 'the manifest is of another version', {
      step: 5,
      version,
      expected: expect.version,
    })
  }
}

/** PROTOCOL 10.6: the leaf is rebuilt from what was verified, so nothing in the log's copy can say more or less. */
function assertPublished(
  publish: Leaves['publish'],
  signed: { manifest: Manifest; digest: Digest; kid: string; envelope: string },
): void {
  const { server, version, role } = signed.manifest
  const rebuilt = publishLeaf({
    server,
    version,
    role,
    kid: signed.kid,
    manifest: signed.digest,
    envelope: envelopeDigest(signed.envelope),
  })
  if (rebuilt !== publish.leaf) {
    refuse('proof-invalid', 'the log has another publication at this index', {
      step: 6,
      index: publish.index,
      expected: digestOf(utf8Bytes(rebuilt)),
    })
  }
}

/** PROTOCOL 10.7. An approval names what was logged before it: `after` reaches back to the publication at least. */
function assertApproved(
  { index, event }: Leaves['approve'],
  publish: Leaves['publish'],
  { manifest, digest }: { manifest: Manifest; digest: Digest },
  root: TrustRoot,
): void {
  if (event.manifest !== digest || event.server !== manifest.server || event.version !== manifest.version) {
    refuse('proof-invalid', 'the approval is of something else', { step: 7, index, approved: event.manifest })
  }
  if (event.after < publish.index || event.after >= index) {
    refuse('proof-invalid', 'the approval does not follow the publication', {
      step: 7,
      index,
      after: event.after,
    })
  }
  const { approvers } = root
  if (approvers === undefined) return
  if (event.auto !== undefined)
    refuse('signature-invalid', 'nothing approves by itself here', { step: 7, index })
  atStep(7, 'signature-invalid', () => verifyThreshold(event, event.sigs, approvers, root.identity))
}

function assertNotRevoked(manifest: Manifest, digest: Digest, lists: readonly RevocationList[]): void {
  for (const list of lists) {
    if (list.manifests.has(digest))
      refuse('revoked', 'this version was revoked', { step: 7, manifest: digest })
    if (list.servers.has(foldServerName(manifest.server))) {
      refuse('revoked', 'this server was revoked', { step: 7, server: manifest.server })
    }
  }
}

/**
 * PROTOCOL 4: hosts refuse a manifest from `expires` on. `now` in POSIX milliseconds.
 * @throws CountersignError `expired`
 */
export function assertNotExpired(manifest: Manifest, now: number): void {
  if (manifest.expires !== undefined && parseTime(manifest.expires) * 1000 <= now) {
    refuse('expired', 'the manifest expired', { step: 7, expires: manifest.expires })
  }
}

function revokedTools(items: ItemSet, lists: readonly RevocationList[]): ReadonlySet<string> {
  if (lists.every((list) => list.tools.size === 0)) return new Set()
  const digests = [...signedDigests(items, 'tool')].map(([, digest]) => digest)
  return new Set(digests.filter((digest) => lists.some((list) => list.tools.has(digest))))
}

function tellSteps(
  { root, status, revocations }: BundleContext,
  tree: Checkpoint,
  manifest: Manifest,
  chain: KeyChain,
  { publish, approve }: Leaves,
): readonly Step[] {
  return [
    { step: 1, found: `trust root version ${root.version} of ${root.identity}, until ${root.expires}` },
    {
      step: 2,
      found: `checkpoint of ${status.checkpoint.size} entries, ${status.independentWitnesses} independent witnesses`,
    },
    { step: 3, found: `snapshot at ${status.snapshotIndex}, ${revocations.count} revocations` },
    {
      step: 5,
      found: `bundle proved at ${tree.size} entries; ${manifest.server} ${manifest.version} as ${manifest.role}`,
    },
    { step: 6, found: `${chain.keys.length} keys of ${chain.namespace}; published at ${publish.index}` },
    { step: 7, found: `approved at ${approve.index} by ${approve.event.deciders.join(', ')}; not revoked` },
  ]
}
