import {
  consistencyProofAsync,
  equalBytes,
  type Checkpoint,
  type PinnedLog,
  type PolicyWitness,
  type QuorumPolicy,
} from 'countersign/core'
import type { Outside } from '../../net/outside.js'
import type { LedgerFatal } from '../errors.js'
import { storedHashes, type ReadTile } from '../tiles.js'
import { excludes, fetchShown, rollbackOf } from './claim.js'
import { requestCosignature, targetOf, type Target } from './request.js'
import { deadlineIn, insist } from './timing.js'
import type { CommittedTree, WitnessFailure } from './witnesses.js'

export interface AskOptions {
  readonly outside: Outside
  readonly log: PinnedLog
  /** The policy of the trust root in force. */
  readonly policy: QuorumPolicy
  /** The newest tree of the database. */
  readonly tree: CommittedTree
  /** For one witness. */
  readonly timeoutMs: number
  /** POSIX milliseconds; the system's clock when absent. */
  readonly now?: () => number
  /** The tree of the database as it stands, where other processes move it on meanwhile; `readTile` reads it. */
  readonly readCommitted?: () => Promise<Pick<CommittedTree, 'size' | 'root'>>
  readonly readTile?: ReadTile
}

/** What the witnesses say before anything is signed. */
export interface Asked {
  /** How many witnesses the policy names. */
  readonly asked: number
  /** How many of them said that they know this log at our size or at a smaller one. */
  readonly answered: number
  readonly failures: readonly { readonly witness: string; readonly code: WitnessFailure }[]
  /** Somebody knows, or claims to know, more than the database: to be thrown. */
  readonly rollback?: LedgerFatal
}

/**
 * Asks every witness whether it knows a newer or another log than the database, by the checkpoint that was signed last:
 * nothing new is signed for it. A claim alone refuses here, proved or not: at a start a person is there to look.
 */
export async function askWitnesses(options: AskOptions): Promise<Asked> {
  const { witnesses } = options.policy
  const said = await Promise.all(witnesses.map((witness) => askWitness(witness, options)))
  const rollbacks = said.flatMap(({ rollback }) => rollback ?? [])
  // What is proved goes before what is only claimed.
  const rollback = rollbacks.find(({ detail }) => detail['isProved'] === true) ?? rollbacks[0]
  return {
    asked: witnesses.length,
    answered: said.filter((one) => one.code === undefined && one.rollback === undefined).length,
    failures: said.flatMap(({ witness, code }) => (code === undefined ? [] : [{ witness, code }])),
    ...(rollback === undefined ? {} : { rollback }),
  }
}

/** Neither a code nor a rollback: it knows what we know, or less. */
interface Said {
  readonly witness: string
  readonly code?: WitnessFailure
  readonly rollback?: LedgerFatal
}

async function askWitness(witness: PolicyWitness, options: AskOptions): Promise<Said> {
  const { name } = witness
  const { outside, tree, timeoutMs, now = Date.now } = options
  const target = targetOf(witness)
  if (target === undefined) return { witness: name, code: 'unreachable' }
  const deadline = deadlineIn(timeoutMs)
  const reply = await insist(deadline, () =>
    requestCosignature(outside, target, { tree, old: tree.size, proof: [], timeoutMs: deadline.left(), now }),
  )
  if (reply.kind === 'failed') return { witness: name, code: reply.code }
  if (reply.kind === 'disputes') return refuse(target, options, tree.size)
  if (reply.kind === 'cosigned' || reply.size < tree.size) return { witness: name }
  // The size we asked at is the one it claims to miss: it contradicts itself.
  return reply.size === tree.size ? { witness: name, code: 'conflict' } : refuse(target, options, reply.size)
}

async function refuse(target: Target, options: AskOptions, claimed: number): Promise<Said> {
  const { outside, log, timeoutMs } = options
  const shown = await fetchShown(outside, target, log, timeoutMs)
  const tree = { ...options.tree, ...(await options.readCommitted?.()) }
  if (await isCommitted(shown?.checkpoint, claimed, tree, options)) return { witness: target.witness.name }
  const proved = shown !== undefined && isNewerOrOther(shown.checkpoint, tree) ? shown : undefined
  // There is one empty tree: who disputes it understands something else, or does not cosign it.
  if (proved === undefined && claimed === 0) return { witness: target.witness.name, code: 'refused' }
  const { size = claimed } = proved?.checkpoint ?? {}
  return { witness: target.witness.name, rollback: rollbackOf(target, tree, size, proved) }
}

/** What another process committed and had cosigned, after our tree was read. A claim alone is only as good as its size. */
async function isCommitted(
  shown: Checkpoint | undefined,
  claimed: number,
  committed: Pick<CommittedTree, 'size' | 'root'>,
  { tree, readTile }: AskOptions,
): Promise<boolean> {
  const { size } = shown ?? { size: claimed }
  if (readTile === undefined || size <= tree.size || size > committed.size) return false
  if (shown === undefined) return true
  const readProof = (from: number, to: number) => consistencyProofAsync(from, to, storedHashes(readTile))
  return !(await excludes(shown, committed, readProof))
}

function isNewerOrOther({ size, root }: Checkpoint, tree: CommittedTree): boolean {
  return size > tree.size || (size === tree.size && !equalBytes(root, tree.root))
}
