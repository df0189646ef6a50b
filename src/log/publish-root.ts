import { parseTrustRoot, rootNoteDigest, type Digest } from 'countersign/core'
import type { Store } from '../storage/store.js'
import type { Candidate, Logged } from './candidate.js'
import { LedgerFatal, LedgerRefusal } from './errors.js'
import type { Halt } from './halt.js'
import { rootCandidate } from './root.js'
import { readNewestRoot } from './root-notes.js'
import type { CommittedTree, Witnesses } from './witness/witnesses.js'

export interface PublishRootOptions {
  /** Also when the witnesses that the new root names do not cosign the current tree. */
  readonly force?: boolean
}

/** A trust root that was logged. */
export interface PublishedRoot extends Logged {
  readonly version: number
  readonly digest: Digest
}

interface RootDoors {
  readonly store: Store
  readonly witnesses: Witnesses
  readonly halt: Halt
  readonly now: () => number
  /** The newest tree whose note may leave the process. */
  readonly committed: () => CommittedTree
  readonly submit: (candidate: Candidate) => Promise<Logged>
}

/**
 * Logs the next trust root. From its batch on it decides who must cosign: so those witnesses are asked first, with the
 * tree as it stands, because with a quorum that cannot be met nothing would be published any more.
 */
export async function publishRoot(
  note: string,
  { force = false }: PublishRootOptions,
  doors: RootDoors,
): Promise<PublishedRoot> {
  const current = await readNewestRoot(doors.store)
  const candidate = rootCandidate(note, current, doors.now())
  const { version, quorum } = parseTrustRoot(note)
  if (!force && !quorum.isNone) await assertCosigned(quorum, doors)
  return { ...(await doors.submit(candidate)), version, digest: rootNoteDigest(note) }
}

/** How often witnesses are asked while the log grows: what is newer is asked for in place of this tree. */
const MAX_TRIES = 3

async function assertCosigned(
  policy: Parameters<Witnesses['cosign']>[1],
  { witnesses, halt, committed }: Pick<RootDoors, 'witnesses' | 'halt' | 'committed'>,
  tries = 1,
): Promise<void> {
  const tree = committed()
  const { isQuorum, failures } = await witnesses.cosign(tree, policy).catch((cause: unknown) => {
    throw cause instanceof LedgerFatal ? halt.stop(cause) : cause
  })
  if (isQuorum) return
  if (tries < MAX_TRIES && committed().size > tree.size) {
    await assertCosigned(policy, { witnesses, halt, committed }, tries + 1)
    return
  }
  const failed = failures.map(({ witness, code }) => `${witness}: ${code}`)
  throw new LedgerRefusal('quorum-not-met', 'the witnesses of this root do not cosign the log', { failed })
}
