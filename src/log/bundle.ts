import {
  BUNDLE_FORMAT,
  eventSignatureKid,
  formatBundle,
  inclusionProofAsync,
  parseEvent,
  type LogEvent,
  type ProvenLeaf,
} from 'countersign/core'
import type { KeyRow, ManifestRow, NamespaceRow, Store } from '../storage/store.js'
import { LedgerRefusal } from './errors.js'
import type { Published } from './publisher.js'
import { storedHashes } from './tiles.js'

/**
 * The static evidence for one approved version (PROTOCOL 9): the key chain up to the namespace event, publish,
 * approve, each with its proof at one published checkpoint.
 */
export async function makeBundle(
  store: Store,
  registry: string,
  published: Published,
  row: ManifestRow,
): Promise<Uint8Array> {
  const { approveIndex, publishIndex, manifest, envelope } = row
  if (approveIndex === undefined || approveIndex >= published.size) {
    throw new LedgerRefusal('manifest-status', 'the manifest is not approved', {
      manifest,
      status: row.status,
    })
  }
  const indexes = [...(await readKeyChain(store, row)), publishIndex, approveIndex]
  const ascending = [...new Set(indexes)].sort((a, b) => a - b)
  const events: ProvenLeaf[] = []
  for (const index of ascending) events.push(await proveLeaf(store, index, published.size))
  return formatBundle({ format: BUNDLE_FORMAT, registry, envelope, checkpoint: published.note, events })
}

async function proveLeaf(store: Store, index: number, size: number): Promise<ProvenLeaf> {
  const read = storedHashes((level, n) => store.readTile(level, n))
  const proof = await inclusionProofAsync(index, size, read)
  return { index, event: await readLeaf(store, index), proof }
}

async function readLeaf(store: Store, index: number): Promise<string> {
  const [leaf] = await store.readEntries(index, index + 1)
  if (leaf === undefined) throw new LedgerRefusal('out-of-range', 'there is no such entry', { index })
  return leaf
}

/**
 * Indexes of the events that make the signing key count: its own enrolment, that of the own key which endorsed it,
 * and so on up to the namespace event.
 */
async function readKeyChain(
  store: Store,
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
    const endorser = endorserOf(parseEvent(await readLeaf(store, next.added)))
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
