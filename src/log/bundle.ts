import {
  BUNDLE_FORMAT,
  eventSignatureKid,
  eventTarget,
  formatBundle,
  parseBundle,
  parseEvent,
  utf8Bytes,
  type LogEvent,
} from 'countersign/core'
import type { KeyRow, ManifestRow, NamespaceRow, Store } from '../storage/store.js'
import { LedgerRefusal } from './errors.js'
import type { LogHashes } from './folded.js'
import { readPlaces, type Places } from './places.js'
import type { Published } from './publisher.js'

/** What a bundle is made at: a published checkpoint and its size. */
export type BundleAt = Pick<Published, 'size' | 'note'>

/** What every bundle of a registry is made from. */
export interface BundleSource {
  readonly store: Store
  readonly hashes: LogHashes
  readonly registry: string
}

/** Most events of a bundle (PROTOCOL 9). */
const MAX_EVENTS = 256
/** How many decisions about one target are walked back through. */
const MAX_DECISIONS = 64

/**
 * The static evidence for one approved version (PROTOCOL 9): the key chain up to the namespace event, publish,
 * approve, and what was reinstated of it since. Leaves of frozen logs are proved at those logs' final trees, the others
 * at one published checkpoint.
 */
export async function makeBundle(
  { store, hashes, registry }: BundleSource,
  published: BundleAt,
  row: ManifestRow,
): Promise<Uint8Array> {
  const places = await readPlaces(store, hashes, published.size)
  const { approveIndex, publishIndex, envelope } = row
  if (approveIndex === undefined || approveIndex >= places.end) throw notApproved(row)
  const chain = [...(await readKeyChain(store, places, row)), publishIndex, approveIndex]
  const positions = ascending(chain)
  const reinstated = ascending(await readReinstatements(store, places, row))
  positions.push(...reinstated.slice(0, MAX_EVENTS - positions.length))
  const events = []
  for (const position of positions) events.push(await places.proveLeaf(position))
  return formatBundle({ format: BUNDLE_FORMAT, registry, envelope, checkpoint: published.note, events })
}

function ascending(positions: Iterable<number>): number[] {
  return [...new Set(positions)].sort((a, b) => a - b)
}

function notApproved({ manifest, status }: ManifestRow): LedgerRefusal {
  return new LedgerRefusal('manifest-status', 'the manifest is not approved', { manifest, status })
}

/**
 * Makes each bundle once and keeps it: many hosts asking for a new one at the same time wait for the same one. It is
 * made again when something of it was reinstated since, because hosts remember the revocation.
 */
export function openBundles(
  source: BundleSource,
  published: () => BundleAt,
): (row: ManifestRow) => Promise<Uint8Array> {
  const { store } = source
  const making = new Map<string, Promise<Uint8Array>>()
  const make = async (row: ManifestRow): Promise<Uint8Array> => {
    const at = published()
    const stored = await store.readBundle(row.manifest)
    if (stored !== undefined && (await isComplete(source, at, row, stored))) return utf8Bytes(stored)
    const bundle = await makeBundle(source, at, row)
    if (stored !== undefined) return bundle
    await store.putBundle(row.manifest, new TextDecoder().decode(bundle), row.approveIndex)
    // Another process may have made one at the same time: the one that is kept is that of both.
    const kept = await store.readBundle(row.manifest)
    return kept !== undefined && (await isComplete(source, at, row, kept)) ? utf8Bytes(kept) : bundle
  }
  return (row) => {
    const name = `${row.manifest} ${row.approveIndex ?? ''}`
    const mine = making.get(name) ?? make(row).finally(() => making.delete(name))
    making.set(name, mine)
    return mine
  }
}

/** Whether a stored bundle holds every reinstatement that a new one would hold. */
async function isComplete(
  { store, hashes }: BundleSource,
  at: BundleAt,
  row: ManifestRow,
  stored: string,
): Promise<boolean> {
  const places = await readPlaces(store, hashes, at.size)
  const positions = await readReinstatements(store, places, row)
  if (positions.length === 0) return true
  const held = new Set(parseBundle(utf8Bytes(stored)).events.map(({ event }) => event))
  for (const position of positions) if (!held.has(await places.readLeaf(position))) return false
  return true
}

/** The latest published `reinstate` about the manifest, its server and each of its tools, where one followed the approval. */
async function readReinstatements(store: Store, places: Places, row: ManifestRow): Promise<number[]> {
  const { manifest, server, toolDigests } = row
  const targets = [
    `manifest:${manifest}`,
    `server:${server}`,
    ...toolDigests.map(({ digest }) => `tool:${digest}`),
  ]
  const found: number[] = []
  for (const target of new Set(targets)) {
    const position = await findReinstatement(store, places, target, row.approveIndex ?? 0)
    if (position !== undefined) found.push(position)
  }
  return found
}

/** Walks back from the latest event about a target, each naming the one before in `after`. */
async function findReinstatement(
  store: Store,
  places: Places,
  target: string,
  since: number,
): Promise<number | undefined> {
  let position = await store.latestAbout(target)
  for (let steps = 0; position !== undefined && position > since && steps < MAX_DECISIONS; steps++) {
    const event = position < places.end ? parseEvent(await places.readLeaf(position)) : undefined
    if (event === undefined || eventTarget(event) !== target) return undefined
    if (event.t === 'reinstate') return position
    // Revoked again: there is nothing to take back.
    if (event.t === 'revoke' || !('after' in event)) return undefined
    position = event.after
  }
  return undefined
}

/**
 * Positions of the events that make the signing key count: its own enrolment, that of the own key which endorsed it,
 * and so on up to the namespace event.
 */
async function readKeyChain(
  store: Store,
  places: Places,
  { namespace, kid, publishIndex }: ManifestRow,
): Promise<Set<number>> {
  const owner = await store.readNamespace(namespace)
  if (owner === undefined)
    throw new LedgerRefusal('namespace-unknown', 'nobody owns the namespace', { namespace })
  const keys = await store.readKeys(namespace)
  const chain = new Set([owner.index])
  let next = enrolment(keys, kid, 'sign', publishIndex)
  while (next !== undefined && !chain.has(next.added)) {
    chain.add(next.added)
    const endorser = endorserOf(parseEvent(await places.readLeaf(next.added)))
    next = endorser === undefined ? undefined : ownerKey(keys, owner, endorser, next.added)
  }
  return chain
}

function enrolment(
  keys: readonly KeyRow[],
  kid: string,
  role: KeyRow['role'],
  before: number,
): KeyRow | undefined {
  return keys.findLast((key) => key.kid === kid && key.role === role && key.added < before)
}

/** Undefined when the chain ends here: the endorser is the namespace event's own key. */
function ownerKey(
  keys: readonly KeyRow[],
  owner: NamespaceRow,
  kid: string,
  before: number,
): KeyRow | undefined {
  const key = enrolment(keys, kid, 'own', before)
  return key?.added === owner.index ? undefined : key
}

/** The own key that endorsed an enrolment; undefined where the authorities did, or nobody had to. */
function endorserOf(event: LogEvent): string | undefined {
  if (event.t !== 'key.add' || event.sig === undefined) return undefined
  return eventSignatureKid(event, event.sig)
}
