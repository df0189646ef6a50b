import {
  decodeBase64,
  digestOf,
  envelopeDigest,
  equalBytes,
  activeLog,
  manifestDigest,
  parseManifest,
  parseServerName,
  parseTime,
  publishLeaf,
  readEnvelopeKid,
  refuse,
  utf8Bytes,
  verifyEnvelope,
  verifyThreshold,
  type Bundle,
  type Digest,
  type Manifest,
  type RevocationList,
  type TrustRoot,
} from './core/index.js'
import { indexItems, signedDigests, type ItemSet } from './verify/items.js'
import { activeKey, verifyKeyChain, type KeyChain } from './verify/key-chain.js'
import { verifyLeaves, type Leaves } from './verify/leaves.js'
import { openRevoked, type Revoked, type Tombstones } from './verify/revoked.js'
import { openBundle, verifyBundleTree, type OpenedBundle, type PlacedTree } from './verify/tree.js'
import { atStep } from './verdict.js'
import type { ProvedSnapshot, VerifiedStatus } from './verify/status.js'

export { verifyRevocations, verifyStatus, VerifiedStatus } from './verify/status.js'
export { openBundle, type OpenedBundle } from './verify/tree.js'
export type { ProvedSnapshot } from './verify/status.js'
export type { Tombstones } from './verify/revoked.js'
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
  declare readonly manifest: Manifest
  declare readonly digest: Digest
  declare readonly server: string
  declare readonly version: string
  declare readonly role: Manifest['role']
  /** The key that signed it. */
  declare readonly kid: string
  declare readonly publishIndex: number
  declare readonly approveIndex: number
  declare readonly deciders: readonly string[]
  /** Four eyes was off, because the registry had one account. */
  declare readonly soleDecider: boolean
  declare readonly keyChain: KeyChain
  declare readonly items: ItemSet
  /** Tools whose definition was revoked wherever it stands, by digest. */
  declare readonly revokedTools: ReadonlySet<string>
  /** Tombstones that fell by a proved reinstatement: target, and the position of that. */
  declare readonly lifted: ReadonlyMap<string, number>
  declare readonly independentWitnesses: number
  declare readonly steps: readonly Step[]
  readonly #proved = true

  // The members are declared, not written one by one: every byte is loaded by browsers.
  /** @internal */
  constructor(token: typeof PROVED, facts: Omit<VerifiedManifest, 'isProved'>) {
    if (token !== PROVED) throw new TypeError('only verifyBundle makes a VerifiedManifest')
    Object.freeze(Object.assign(this, facts))
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
  /** The list that the status's denials name, where it has any of another root. */
  readonly denials?: RevocationList
  /**
   * Proof that the bundle's checkpoint is a prefix of the status's, or of the frozen log's end that it is of; none when
   * the sizes are equal.
   */
  readonly consistency?: readonly Uint8Array[]
  /** Revocations this host saw before: they stay, unless a bundle proves a reinstatement (PROTOCOL 11). */
  readonly tombstones?: Tombstones
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

/** {@link verifyBundle} for who asked for the size first and does not want to parse twice. */
export function verifyOpened(
  opened: OpenedBundle,
  context: BundleContext,
  expect: BundleExpectations,
): VerifiedManifest {
  const { bundle } = opened
  const { root } = context
  assertContext(context)
  // 5
  assertRegistry(bundle, root)
  const tree = verifyBundleTree(opened, root, context.status, context.consistency ?? [])
  // 6
  const leaves = verifyLeaves(bundle, tree, root)
  const lists = context.denials ? [context.revocations, context.denials] : [context.revocations]
  const keyChain = atStep(6, 'signature-invalid', () =>
    verifyKeyChain(leaves.keys, {
      registry: root.identity,
      revocations: context.tombstones ? [...lists, context.tombstones] : lists,
      ...(root.authorities && { authorities: root.authorities }),
    }),
  )
  const { manifest, digest, kid } = verifySigned(bundle.envelope, keyChain, leaves.publish.index)
  assertSpeaksFor(manifest, root, keyChain, expect)
  assertPublished(leaves.publish, { manifest, digest, kid, envelope: bundle.envelope })
  // 7
  assertApproved(leaves.approve, leaves.publish, { manifest, digest }, root)
  const revoked = openRevoked(lists, context.tombstones, leaves.reinstated, root)
  const items = indexItems(manifest)
  const tools = atStep(7, 'signature-invalid', () => {
    assertNotRevoked(manifest, digest, revoked)
    return revokedTools(items, revoked)
  })
  assertNotExpired(manifest, expect.now)
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
    revokedTools: tools,
    lifted: revoked.lifted,
    independentWitnesses: context.status.independentWitnesses,
    steps: tellSteps(context, tree, manifest, keyChain, leaves),
  })
}

/** A list that is not the snapshot's proves nothing: who passes one made a mistake, and gets a refusal. */
function assertContext({ root, status, revocations, denials = revocations }: BundleContext): void {
  if (!status.isProved() || status.registry !== root.identity) {
    refuse('registry-mismatch', 'the status is of another registry', { step: 5 })
  }
  if (status.checkpoint.origin !== activeLog(root).origin) {
    refuse('checkpoint-invalid', 'the status is of a log that is not the active one', { step: 5 })
  }
  if (!isNamed(revocations, status) || !isNamed(denials, status.denials ?? status)) {
    refuse('proof-invalid', 'the revocation list is not the one the status names', { step: 3 })
  }
}

function isNamed(list: RevocationList, { snapshot }: ProvedSnapshot): boolean {
  return equalBytes(list.root, decodeBase64(snapshot.revocations))
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

function assertNotRevoked({ server }: Manifest, digest: Digest, revoked: Revoked): void {
  if (revoked.is('manifest', digest)) {
    refuse('revoked', 'this version was revoked', { step: 7, manifest: digest })
  }
  if (revoked.is('server', server)) refuse('revoked', 'this server was revoked', { step: 7, server })
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

function revokedTools(items: ItemSet, revoked: Revoked): ReadonlySet<string> {
  if (!revoked.has('tool')) return new Set()
  const digests = [...signedDigests(items, 'tool')].map(([, digest]) => digest)
  return new Set(digests.filter((digest) => revoked.is('tool', digest)))
}

function tellSteps(
  { root, status, revocations }: BundleContext,
  tree: PlacedTree,
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
