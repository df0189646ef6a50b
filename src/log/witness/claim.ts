import {
  CountersignError,
  openCheckpoint,
  sha256HexOfText,
  verifyConsistency,
  type Checkpoint,
  type PinnedLog,
} from 'countersign/core'
import { OutsideError, type Outside } from '../../net/outside.js'
import { LedgerFatal } from '../errors.js'
import { MAX_ANSWER_BYTES, type Target } from './request.js'
import type { CommittedTree } from './witnesses.js'

// A witness that claims to know more than we do may be broken, or lie. What it shows decides: a checkpoint that this
// log's key signed and that our tree does not hold was signed by us before the database was restored, or by a thief.

type Tree = Pick<CommittedTree, 'size' | 'root'>

/** A checkpoint that a witness shows: our key signed it. */
export interface Shown {
  readonly checkpoint: Checkpoint
  readonly note: string
}

/** The newest checkpoint of our log that the witness has, when it shows one that our key signed. */
export async function fetchShown(
  outside: Outside,
  { url }: Target,
  log: PinnedLog,
  timeoutMs: number,
): Promise<Shown | undefined> {
  try {
    const address = `${url}/${sha256HexOfText(log.origin)}/checkpoint`
    // A checkpoint under our signature is one whatever the status says.
    const { body } = await outside.request(address, {
      maxBytes: MAX_ANSWER_BYTES,
      timeoutMs,
      trusted: true,
    })
    const { checkpoint } = openCheckpoint(body, log)
    return { checkpoint, note: new TextDecoder().decode(body) }
  } catch (cause) {
    if (cause instanceof OutsideError || cause instanceof CountersignError) return undefined
    throw cause
  }
}

/** The consistency proof between two sizes of our committed log. */
export type ReadProof = (from: number, to: number) => Promise<readonly Uint8Array[]>

/** Empty where nothing needs to be proved: from nothing, or to the same size. */
export function proofBetween(from: number, to: number, readProof: ReadProof): Promise<readonly Uint8Array[]> {
  return from === 0 || from === to ? Promise.resolve([]) : readProof(from, to)
}

/** Whether a checkpoint that our key signed is no prefix of our tree. */
export async function excludes(
  { size, root }: Checkpoint,
  tree: Tree,
  readProof: ReadProof,
): Promise<boolean> {
  if (size > tree.size) return true
  const proof = await proofBetween(size, tree.size, readProof)
  try {
    verifyConsistency(size, tree.size, proof, root, tree.root)
    return false
  } catch (cause) {
    if (cause instanceof CountersignError && cause.code === 'proof-mismatch') return true
    throw cause
  }
}

/** The log must stop: what a witness says, and with `shown` what proves it. */
export function rollbackOf(
  { witness, url }: Target,
  tree: Tree,
  claimed: number,
  shown?: Shown,
): LedgerFatal {
  const says =
    shown === undefined ? 'claims to know' : 'shows a checkpoint, signed by the key of this log, of'
  const message = [
    `The database has ${tree.size} entries, and the witness ${witness.name} ${says} another tree, of ${claimed}.`,
    'Signing now would fork the log, and hosts would refuse this registry as dishonest.',
    'Stop here and restore the newest database. If its last entries are lost for good, retire this log with a',
    'successor under a new trust root: countersign-registry recover.',
  ].join('\n')
  const detail = { witness: witness.name, url, claimed, database: tree.size, isProved: shown !== undefined }
  return new LedgerFatal('rollback', message, {
    ...detail,
    ...(shown === undefined ? {} : { note: shown.note }),
  })
}
