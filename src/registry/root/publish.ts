import {
  openTrustRoot,
  rootNoteDigest,
  activeLog,
  toHex,
  type Digest,
  type TrustRoot,
} from 'countersign/core'
import { draftBatch } from '../../log/batch.js'
import type { Candidate } from '../../log/candidate.js'
import { LedgerRefusal } from '../../log/errors.js'
import { emptyState, pinnedLog, readHead, signCheckpoint } from '../../log/head.js'
import type { RegistryKeys } from '../../log/keys.js'
import { assertNoRollback, writeRollback } from '../../log/rollback.js'
import { invalidRoot, readPolicy, refusing, vkeyOf } from '../../log/root.js'
import type { Store } from '../../storage/store.js'

/** A trust root in the log. */
export interface LoggedRoot {
  readonly version: number
  readonly digest: Digest
  readonly index: number
}

export interface BeginOptions {
  readonly store: Store
  readonly keys: RegistryKeys
  readonly rollbackFile: string
  /** POSIX milliseconds. */
  readonly now: number
}

/** Whether the log has its first entry. */
export async function isBegun(store: Store): Promise<boolean> {
  return ((await store.readLogState())?.size ?? 0) > 0
}

/**
 * Begins the log of a registry whose first root people have signed: that root is entry 0. Hosts see it with the first
 * start. Throws LedgerRefusal `root-invalid` for a root that is not signed, or not about this registry's keys.
 */
export async function beginLog(note: string, options: BeginOptions): Promise<LoggedRoot> {
  const { store, keys, rollbackFile, now } = options
  const root = openFirstRoot(note, keys, now)
  const state = (await store.readLogState()) ?? emptyState(keys)
  const tree = { ...state, readTile: store.readTile.bind(store) }
  await assertNoRollback(rollbackFile, pinnedLog(keys), () => Promise.resolve(tree))
  if ((await store.readLogState()) === undefined) await store.initLog(state)
  const head = await readHead(store, keys)
  const sign = (size: number, hash: Uint8Array): string => signCheckpoint(keys, size, hash)
  const { next } = await store.commitBatch((tx) => draftBatch(tx, head, [firstRoot(note)], sign))
  if (next !== undefined) await writeRollback(rollbackFile, next.note)
  return { version: root.version, digest: rootNoteDigest(note), index: 0 }
}

function openFirstRoot(note: string, keys: RegistryKeys, now: number): TrustRoot {
  const root = refusing(() => openTrustRoot(note))
  refusing(() => readPolicy(root.policy))
  const { origin, key } = activeLog(root)
  const isOurs = origin === keys.origin && toHex(key.publicKey) === toHex(keys.log.key.publicKey)
  if (root.identity !== keys.identity || root.version !== 1 || root.logs.length !== 1 || !isOurs) {
    throw invalidRoot('other-registry', 'it is not the first root of the registry whose keys are here')
  }
  if (root.timestamper !== vkeyOf(keys.timestamper.key)) {
    throw invalidRoot('timestamper-changed', 'it names another timestamper than the one that is here')
  }
  if (root.expiresAt * 1000 <= now) throw invalidRoot('root-expired', `it expired at ${root.expires}`)
  return root
}

function firstRoot(note: string): Candidate {
  return {
    authorise: async (tx) => {
      const { size } = await tx.readLogState()
      if (size > 0) throw new LedgerRefusal('root-conflict', 'the log is begun already', { version: 1 })
    },
    event: () => ({ v: 1, t: 'root', version: 1, digest: rootNoteDigest(note) }),
    apply: (tx) => tx.putRootNote({ version: 1, note }),
  }
}
