import type { Cosignature, PinnedLog } from 'countersign/core'
import type { Logger } from 'pino'
import type { Outside } from '../../net/outside.js'
import type { LedgerFatal } from '../errors.js'
import { excludes, fetchShown, proofBetween, rollbackOf, type ReadProof } from './claim.js'
import { requestCosignature, type Reply, type Target } from './request.js'
import { deadlineIn, insist, type Deadline } from './timing.js'
import type { CommittedTree, WitnessFailure } from './witnesses.js'

/** How often a witness may correct the size we think it knows, within one turn. */
const MAX_CORRECTIONS = 3

export interface CorrespondentOptions {
  readonly outside: Outside
  readonly log: PinnedLog
  readonly readProof: ReadProof
  /** The tree of the database as it stands. Its checkpoint is public before its witnesses have seen it. */
  readonly readCommitted: () => Promise<Pick<CommittedTree, 'size' | 'root'>>
  readonly timeoutMs: number
  readonly logger: Pick<Logger, 'error'>
  /** POSIX milliseconds. */
  readonly now: () => number
  /** The largest tree that was ever to be cosigned: ours, whatever a witness says of smaller ones. */
  readonly newest: () => CommittedTree
}

/** What one witness said of one tree. */
export type Answer =
  | { readonly kind: 'cosigned'; readonly line: string; readonly cosignature: Cosignature }
  | { readonly kind: 'failed'; readonly code: WitnessFailure }
  /** It showed a checkpoint of ours that excludes our tree. */
  | { readonly kind: 'forked'; readonly error: LedgerFatal }

/** What we know of one witness, and the one conversation with it that may be running. */
export interface Correspondent {
  /** Never rejects. Asked again for a tree it is being asked for, it gives the same answer. */
  ask(tree: CommittedTree): Promise<Answer>
  /** It claims something, and what it shows is being looked at: nobody goes on before that is known. */
  isExamined(): boolean
}

export function openCorrespondent(options: CorrespondentOptions, target: Target): Correspondent {
  const { outside, log, readProof, readCommitted, timeoutMs, logger, now, newest } = options
  let known = 0
  let isExamined = false
  let running: { readonly note: string; readonly answer: Promise<Answer> } | undefined

  const ask = (tree: CommittedTree): Promise<Answer> => {
    if (running?.note === tree.note) return running.answer
    const answer = takeTurn(tree, running?.answer).catch((cause: unknown) => {
      logger.error({ err: cause, witness: target.witness.name }, 'a witness could not be asked')
      return failed('unreachable')
    })
    const mine = (running = { note: tree.note, answer })
    void answer.then(() => (running = running === mine ? undefined : running))
    return answer
  }

  /** One conversation at a time: two would each take the other's size for a claim. */
  const takeTurn = async (tree: CommittedTree, before: Promise<Answer> | undefined): Promise<Answer> => {
    const deadline = deadlineIn(timeoutMs)
    await before
    // What waited behind a slow witness until something newer came need not be asked any more.
    if (before !== undefined && (deadline.isOver() || tree.size < newest().size)) return failed('unreachable')
    return converse(tree, deadline)
  }

  const converse = async (tree: CommittedTree, deadline: Deadline): Promise<Answer> => {
    for (let corrections = 0; known <= tree.size && corrections < MAX_CORRECTIONS; corrections++) {
      const reply = await request(tree, deadline)
      if (reply.kind === 'failed') return failed(reply.code)
      if (reply.kind === 'disputes') return examine(known, 'refused')
      if (reply.kind === 'knows' && reply.size > newest().size) return examine(reply.size, 'claims-larger')
      known = reply.kind === 'knows' ? reply.size : tree.size
      if (reply.kind === 'cosigned') return reply
    }
    return failed('conflict')
  }

  const request = async (tree: CommittedTree, deadline: Deadline): Promise<Reply> => {
    const proof = await proofBetween(known, tree.size, readProof)
    return insist(deadline, () => {
      // No request starts when the time is up; one that is on its way may take as long again, and its answer is kept.
      const limit = deadline.left() + timeoutMs
      return requestCosignature(outside, target, { tree, old: known, proof, timeoutMs: limit, now })
    })
  }

  const examine = async (claimed: number, code: WitnessFailure): Promise<Answer> => {
    isExamined = true
    try {
      const shown = await fetchShown(outside, target, log, timeoutMs)
      const asked = newest()
      const committed = await readCommitted()
      const tree = committed.size > asked.size ? committed : asked
      if (shown !== undefined && (await excludes(shown.checkpoint, tree, readProof))) {
        return { kind: 'forked', error: rollbackOf(target, tree, shown.checkpoint.size, shown) }
      }
      // Another process, or anybody, may hand a witness what we have committed, before we ask for it.
      const known = shown?.checkpoint.size ?? claimed
      if (known > asked.size && known <= committed.size) return failed('conflict')
      const detail = { witness: target.witness.name, claimed, database: tree.size }
      logger.error(
        detail,
        'a witness claims to know another log than this one, and shows nothing that proves it',
      )
      return failed(code)
    } finally {
      isExamined = false
    }
  }

  return { ask, isExamined: () => isExamined }
}

function failed(code: WitnessFailure): Answer {
  return { kind: 'failed', code }
}
