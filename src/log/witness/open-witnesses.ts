import type { PolicyWitness, QuorumPolicy } from 'countersign/core'
import type { LedgerFatal } from '../errors.js'
import {
  openCorrespondent,
  type Answer,
  type Correspondent,
  type CorrespondentOptions,
} from './correspondent.js'
import { openGathering, witnessId, type Gathering } from './gathering.js'
import { targetOf } from './request.js'
import { openRound } from './round.js'
import type { CommittedTree, Witnessed, Witnesses } from './witnesses.js'

export interface WitnessesOptions extends Omit<CorrespondentOptions, 'newest'> {
  /** Told once and at once, also when nobody waits for that witness any more: nothing may be signed from then on. */
  readonly onFork?: (error: LedgerFatal) => void
}

/** The witnesses of this log. What they know of it is learned from them, and forgotten with the process. */
export function openWitnesses(options: WitnessesOptions): Witnesses {
  const correspondents = new Map<string, Correspondent>()
  let newest: CommittedTree | undefined
  let gathering: Gathering | undefined
  let fork: LedgerFatal | undefined

  const correspondentOf = (witness: PolicyWitness): Correspondent | undefined => {
    const id = witnessId(witness)
    const target = targetOf(witness)
    if (target === undefined || correspondents.has(id)) return correspondents.get(id)
    const opened = openCorrespondent({ ...options, newest: () => newest ?? notAsked() }, target)
    correspondents.set(id, opened)
    return opened
  }

  const keep = (error: LedgerFatal): void => {
    if (fork !== undefined) return
    fork = error
    options.onFork?.(error)
  }

  const assertNoFork = (): void => {
    if (fork !== undefined) throw fork
  }

  const cosign = async (tree: CommittedTree, policy: QuorumPolicy): Promise<Witnessed> => {
    assertNoFork()
    if (newest === undefined || tree.size >= newest.size) newest = tree
    // What came too late for the last call counts for this one, when it is about the same checkpoint.
    const found = (gathering = gathering?.note === tree.note ? gathering : openGathering(tree.note))
    const round = openRound(() => found.isQuorum(policy), options.timeoutMs)
    const questions = policy.witnesses.map((witness) =>
      askFor(witness, correspondentOf(witness), tree, (said) => {
        if (said.kind === 'cosigned') found.add(witness, said)
        if (said.kind === 'forked') keep(said.error)
        round.look(said.kind === 'forked')
      }),
    )
    await round.ends(questions.map(({ said }) => said))
    // A claim that is being looked at is looked at to the end: what follows would be signed upon it.
    await Promise.all(questions.filter((question) => question.isExamined()).map(({ said }) => said))
    assertNoFork()
    // Published now; the next call for this tree is there to get newer times.
    if (gathering === found && found.isQuorum(policy)) gathering = undefined
    return witnessed(found, policy, questions)
  }
  return { cosign }
}

function notAsked(): never {
  throw new RangeError('no tree was asked for yet')
}

/** One witness, asked for one tree. */
interface Question {
  readonly witness: string
  readonly said: Promise<Answer>
  readonly answer: () => Answer | undefined
  readonly isExamined: () => boolean
}

function askFor(
  { name }: PolicyWitness,
  correspondent: Correspondent | undefined,
  tree: CommittedTree,
  take: (answer: Answer) => void,
): Question {
  let answer: Answer | undefined
  const nowhere: Answer = { kind: 'failed', code: 'unreachable' }
  const asked = correspondent?.ask(tree) ?? Promise.resolve(nowhere)
  return {
    witness: name,
    said: asked.then((said) => {
      answer = said
      take(said)
      return said
    }),
    answer: () => answer,
    isExamined: () => answer === undefined && correspondent?.isExamined() === true,
  }
}

function witnessed(found: Gathering, policy: QuorumPolicy, questions: readonly Question[]): Witnessed {
  const cosigned = found.of(policy)
  const isQuorum = found.isQuorum(policy)
  return {
    lines: cosigned.map(({ line }) => line),
    cosignatures: cosigned.map(({ cosignature }) => cosignature),
    isQuorum,
    failures: questions.flatMap((question) => failuresOf(question, isQuorum)),
  }
}

/** Who was not waited for because the quorum was there has not failed. */
function failuresOf(question: Question, isQuorum: boolean): Witnessed['failures'] {
  const { witness } = question
  const said = question.answer()
  if (said?.kind === 'failed') return [{ witness, code: said.code }]
  return said === undefined && !isQuorum ? [{ witness, code: 'unreachable' }] : []
}
