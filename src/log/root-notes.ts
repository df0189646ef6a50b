import { parseTrustRoot, type TrustRoot } from 'countersign/core'
import type { Store } from '../storage/store.js'
import { LedgerFatal } from './errors.js'
import type { LogHead } from './head.js'

type RootReads = Pick<Store, 'readRootNotes'>
type Snapshot = Pick<LogHead, 'snapshot'>

/** Every trust root up to the one that a tree's snapshot names; a later one is not for hosts yet. */
export async function readRootNotes(
  store: RootReads,
  head: Snapshot,
  known?: ReadonlyMap<number, string>,
): Promise<ReadonlyMap<number, string>> {
  const newest = versionOf(head)
  if (known?.size === newest) return known
  const rows = (await store.readRootNotes()).filter(({ version }) => version <= newest)
  if (rows.length !== newest) throw missing(newest)
  return new Map(rows.map(({ version, note }) => [version, note]))
}

/** The trust root that a tree's snapshot names: its policy says who must cosign that tree. Read once a version. */
export function rootsInForce(store: RootReads): (head: Snapshot) => Promise<TrustRoot> {
  let last: TrustRoot | undefined
  return async (head) => {
    const version = versionOf(head)
    if (last?.version === version) return last
    const note = (await readRootNotes(store, head)).get(version)
    if (note === undefined) throw missing(version)
    return (last = parseTrustRoot(note))
  }
}

/** The newest one that was logged, published or not: inside a batch, the one in force in log order. */
export async function readNewestRoot(store: RootReads): Promise<TrustRoot> {
  const newest = (await store.readRootNotes()).at(-1)
  if (newest === undefined) throw missing(1)
  return parseTrustRoot(newest.note)
}

function versionOf({ snapshot }: Snapshot): number {
  return snapshot?.event.rootVersion ?? 1
}

function missing(version: number): LedgerFatal {
  return new LedgerFatal('state-invalid', `the trust root of version ${version} is not in the database`)
}
