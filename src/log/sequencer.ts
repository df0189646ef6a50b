import { StoreError } from '../storage/errors.js'
import type { Store } from '../storage/store.js'
import { draftBatch, FailedCandidate, type Draft, type SignCheckpoint } from './batch.js'
import type { Candidate, Logged } from './candidate.js'
import { LedgerBusy, LedgerClosed, LedgerFatal } from './errors.js'
import type { Halt } from './halt.js'
import type { Chain } from './chain.js'
import { assertExtends, type LogHead } from './head.js'
import { fateOf } from './fate.js'

/** Where committed heads go, and where it is known what hosts can see. */
export interface Publication {
  /** Takes what this process committed. Resolves when it is remembered outside the database; never rejects. */
  offer(head: LogHead): Promise<void>
  /** Takes what another process committed. */
  adopt(head: LogHead): Promise<unknown>
  /** True when the position is published, false when the quorum is late; rejects with LedgerFatal. */
  answer(position: number): Promise<boolean>
  /** How many wait for an answer. */
  readonly waiting: number
}

export interface SequencerOptions {
  readonly store: Store
  readonly chain: Chain
  readonly sign: SignCheckpoint
  /** Reads the head anew and verifies it. */
  readonly reload: () => Promise<LogHead>
  readonly publication: Publication
  readonly halt: Halt
  /** Most candidates of one batch. */
  readonly batchLimit: number
  /** Most candidates that wait for their batch; more are told to come again. */
  readonly queueLimit: number
  /** Most that are committed and wait for the quorum; while there are more, nobody is let in. */
  readonly unpublishedLimit: number
}

interface Waiting {
  readonly candidate: Candidate
  readonly resolve: (logged: Logged) => void
  readonly reject: (error: Error) => void
}

/** How often a batch that lost a race is built again before its callers are told. */
const MAX_RACES = 3

/**
 * THE ONE PLACE WHERE INDEXES ARE GIVEN: one lane of batches. Candidates that come while a batch is on its way make up
 * the next one. No batch begins before the one before it is remembered outside the database, and none waits for
 * witnesses.
 */
export class Sequencer {
  /** What this process knew when the batch under way was begun. */
  #known: LogHead
  #queue: Waiting[] = []
  #lane: Promise<void> = Promise.resolve()
  #isScheduled = false
  #stopped: Error | undefined
  #batches = 0
  readonly #options: SequencerOptions

  constructor(options: SequencerOptions) {
    this.#options = options
    this.#known = options.chain.head
    options.halt.onStop((error) => {
      this.#stopped = error
      rejectAll(this.#queue.splice(0), error)
    })
  }

  /** How many wait for a batch, and how many batches were committed. */
  get load(): { readonly queued: number; readonly batches: number } {
    return { queued: this.#queue.length, batches: this.#batches }
  }

  submit(candidate: Candidate): Promise<Logged> {
    const { queueLimit, unpublishedLimit, publication } = this.#options
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped)
    if (this.#queue.length >= queueLimit || publication.waiting >= unpublishedLimit) {
      return Promise.reject(new LedgerBusy('the log is busy'))
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ candidate, resolve, reject })
      this.#schedule()
    })
  }

  /** Takes nothing more; resolves when what was taken is committed or refused. */
  async close(): Promise<void> {
    this.#stopped ??= new LedgerClosed('the log is closed')
    // Each turn may have scheduled another one for what was already waiting.
    while (this.#queue.length > 0) await this.#lane
    await this.#lane
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#lane = this.#lane.then(async () => {
      this.#isScheduled = false
      const batch = this.#queue.splice(0, this.#options.batchLimit)
      await this.#sequence(batch).catch((cause: unknown) => {
        // Nothing is expected to get here; if it does, nobody is left waiting and nothing more is signed.
        rejectAll(batch, this.#stop('a batch ended in a way nobody foresaw', cause))
      })
      if (this.#queue.length > 0) this.#schedule()
    })
  }

  async #sequence(batch: readonly Waiting[]): Promise<void> {
    let waiting = batch
    for (let races = 0; waiting.length > 0;) {
      const draft = await this.#attempt(waiting).catch((cause: unknown) => this.#recover(cause))
      if ('outcomes' in draft) {
        this.#batches++
        return this.#settle(waiting, draft)
      }
      if (draft.failed !== undefined) waiting = rejectOne(waiting, draft.failed)
      else if (!draft.raced || ++races > MAX_RACES) {
        rejectAll(waiting, draft.error)
        return
      }
    }
  }

  /** One transaction. The signed note is in nobody's hands until COMMIT has returned. */
  async #attempt(waiting: readonly Waiting[]): Promise<Draft> {
    const { store, chain, sign } = this.#options
    const candidates = waiting.map(({ candidate }) => candidate)
    const known = (this.#known = chain.head)
    let draft: Draft | undefined
    try {
      return await store.commitBatch(async (tx) => {
        const head = await chain.catchUp(tx, known)
        return (draft = await draftBatch(tx, head, candidates, sign))
      })
    } catch (cause) {
      if (cause instanceof FailedCandidate) throw cause
      throw new FailedBatch(draft, cause)
    }
  }

  /**
   * What a failed batch left behind is read from the database, never from memory: it was committed after all, it was
   * not, or the log is not the one we know, and then nothing more is signed.
   */
  async #recover(failure: unknown): Promise<Draft | Failure> {
    if (failure instanceof FailedCandidate) return { failed: failure }
    const { draft, cause } = failure instanceof FailedBatch ? failure : { draft: undefined, cause: failure }
    return this.#options.store.isShared
      ? this.#recoverAmongOthers(draft, cause)
      : this.#recoverAlone(draft, cause)
  }

  async #recoverAlone(draft: Draft | undefined, cause: unknown): Promise<Draft | Failure> {
    try {
      const now = await this.#options.reload()
      if (draft?.next !== undefined && now.note === draft.next.note) return draft
      await assertExtends(this.#options.store, this.#known, now)
      const isOurs = now.note === this.#known.note
      const raced = cause instanceof StoreError && cause.code === 'lost-race'
      if (!raced && !isOurs) throw new Error('somebody else has written to this log', { cause })
      if (!isOurs) await this.#advance(now)
      return { raced, error: notCommitted(cause) }
    } catch (unknown) {
      return { raced: false, error: this.#stop('the outcome of a batch is not known', unknown) }
    }
  }

  /** The next batch catches up with whatever the database holds by then: only another history ends the log. */
  async #recoverAmongOthers(draft: Draft | undefined, cause: unknown): Promise<Draft | Failure> {
    try {
      if (cause instanceof LedgerFatal) throw cause
      const isCommitted =
        draft?.next !== undefined && (await fateOf(draft.next, this.#options)) === 'committed'
      if (isCommitted) return draft
      const raced = cause instanceof StoreError && cause.code === 'lost-race'
      return {
        raced,
        error: isBusy(cause) ? new LedgerBusy('the log is busy', { cause }) : notCommitted(cause),
      }
    } catch (unknown) {
      if (unknown instanceof LedgerFatal) return { raced: false, error: this.#options.halt.stop(unknown) }
      return { raced: false, error: outcomeUnknown(unknown) }
    }
  }

  /** Committed: who is refused is told at once, who has a place when it is published. */
  async #settle(waiting: readonly Waiting[], { outcomes, next, head }: Draft): Promise<void> {
    const failed = await this.#takeIn(head, next).catch((cause: unknown) => this.#notTaken(cause))
    const { size } = next ?? head
    outcomes.forEach((outcome, i) => {
      const one = waiting[i]
      if (one === undefined) return
      if ('refusal' in outcome) one.reject(outcome.refusal)
      else if (failed !== undefined) one.reject(failed)
      else void this.#answer(one, outcome.index, size)
    })
  }

  /** An answer may also rest on what others committed: that is remembered here as well. */
  async #takeIn(head: LogHead, next: LogHead | undefined): Promise<undefined> {
    const { chain, publication } = this.#options
    if (next !== undefined) await this.#advance(next)
    else if (head !== this.#known) {
      await chain.take(head, this.#known)
      await publication.adopt(head)
    }
    return undefined
  }

  #notTaken(cause: unknown): Error {
    if (cause instanceof LedgerFatal) return this.#options.halt.stop(cause)
    return outcomeUnknown(cause)
  }

  async #advance(head: LogHead): Promise<void> {
    await this.#options.chain.take(head, this.#known)
    await this.#options.publication.offer(head)
  }

  async #answer({ resolve, reject }: Waiting, index: number, size: number): Promise<void> {
    const { publication } = this.#options
    await publication.answer(index).then((published) => resolve({ index, size, published }), reject)
  }

  #stop(message: string, cause: unknown): LedgerFatal {
    return this.#options.halt.stop(new LedgerFatal('outcome-unknown', message, {}, { cause }))
  }
}

interface Failure {
  readonly failed?: FailedCandidate
  readonly raced?: boolean
  readonly error?: Error
}

class FailedBatch extends Error {
  override readonly name = 'FailedBatch'
  readonly draft: Draft | undefined

  constructor(draft: Draft | undefined, cause: unknown) {
    super('a batch failed', { cause })
    this.draft = draft
  }
}

function notCommitted(cause: unknown): LedgerFatal {
  return new LedgerFatal('not-committed', 'the batch was rolled back', {}, { cause })
}

function outcomeUnknown(cause: unknown): LedgerFatal {
  return new LedgerFatal(
    'outcome-unknown',
    'the database cannot say whether a batch was committed',
    {},
    { cause },
  )
}

function isBusy(cause: unknown): boolean {
  return cause instanceof StoreError && cause.code === 'busy'
}

function rejectOne(waiting: readonly Waiting[], { position, cause }: FailedCandidate): Waiting[] {
  waiting[position]?.reject(cause instanceof Error ? cause : new Error('a candidate failed', { cause }))
  return waiting.filter((_, i) => i !== position)
}

function rejectAll(waiting: readonly Waiting[], error: Error | undefined): void {
  for (const { reject } of waiting) reject(error ?? new LedgerClosed('the log is closed'))
}
