import type { Logger } from 'pino'
import { StoreError } from '../storage/errors.js'
import type { Store } from '../storage/store.js'
import { draftBatch, FailedCandidate, type Draft, type Outcome, type SignCheckpoint } from './batch.js'
import type { Candidate, Logged } from './candidate.js'
import { LedgerBusy, LedgerClosed, LedgerFatal } from './errors.js'
import { assertExtends, type LogHead } from './head.js'

export interface SequencerOptions {
  readonly store: Store
  readonly head: LogHead
  readonly sign: SignCheckpoint
  /** Reads the head anew and verifies it. */
  readonly reload: () => Promise<LogHead>
  /** Resolves when hosts can see this head. */
  readonly publish: (head: LogHead) => Promise<void>
  readonly isPublished: (head: LogHead) => boolean
  /** Told once, when the log cannot go on. */
  readonly onFatal: (error: LedgerFatal) => void
  readonly log: Logger
  /** Most candidates of one batch. */
  readonly batchLimit: number
  /** Most candidates that wait; more are told to come again. */
  readonly queueLimit: number
}

interface Waiting {
  readonly candidate: Candidate
  readonly resolve: (logged: Logged) => void
  readonly reject: (error: Error) => void
}

/** How often a batch that lost a race is built again before its callers are told. */
const MAX_RACES = 3

/**
 * The one place where indexes are given. Everything here runs in one lane: batches, their publication, refreshes.
 * Candidates that come while a batch is on its way make up the next one.
 */
export class Sequencer {
  #head: LogHead
  #queue: Waiting[] = []
  #lane: Promise<void> = Promise.resolve()
  #scheduled = false
  #stopped: Error | undefined
  readonly #options: SequencerOptions

  constructor(options: SequencerOptions) {
    this.#options = options
    this.#head = options.head
  }

  submit(candidate: Candidate): Promise<Logged> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped)
    if (this.#queue.length >= this.#options.queueLimit)
      return Promise.reject(new LedgerBusy('the log is busy'))
    return new Promise((resolve, reject) => {
      this.#queue.push({ candidate, resolve, reject })
      this.#schedule()
    })
  }

  /** Publishes the head again, with a new time. */
  refresh(): Promise<void> {
    return this.#inTurn(() => (this.#stopped === undefined ? this.#publish(this.#head) : Promise.resolve()))
  }

  /** Takes nothing more; resolves when what was taken is done. */
  async close(): Promise<void> {
    this.#stopped ??= new LedgerClosed('the log is closed')
    // Each turn may have scheduled another one for what was already waiting.
    while (this.#queue.length > 0) await this.#lane
    await this.#lane
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    void this.#inTurn(async () => {
      this.#scheduled = false
      const batch = this.#queue.splice(0, this.#options.batchLimit)
      await this.#sequence(batch).catch((cause: unknown) => {
        // Nothing is expected to get here; if it does, nobody is left waiting and nothing more is signed.
        rejectAll(batch, this.#stop('outcome-unknown', 'a batch ended in a way nobody foresaw', cause))
      })
      if (this.#queue.length > 0) this.#schedule()
    })
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#lane.then(work)
    this.#lane = mine.catch((cause: unknown) => {
      this.#options.log.error({ err: cause }, 'a turn of the log failed')
    })
    return mine
  }

  async #sequence(batch: readonly Waiting[]): Promise<void> {
    let waiting = batch
    for (let races = 0; waiting.length > 0;) {
      const draft = await this.#attempt(waiting).catch((cause: unknown) => this.#recover(cause))
      if ('outcomes' in draft) return this.#settle(waiting, draft)
      if (draft.failed !== undefined) waiting = rejectOne(waiting, draft.failed)
      else if (!draft.raced || ++races > MAX_RACES) {
        rejectAll(waiting, draft.error)
        return
      }
    }
  }

  /** One transaction. The signed note is in nobody's hands until COMMIT has returned. */
  async #attempt(waiting: readonly Waiting[]): Promise<Draft> {
    const { store, sign } = this.#options
    const candidates = waiting.map(({ candidate }) => candidate)
    let draft: Draft | undefined
    try {
      return await store.commitBatch(
        async (tx) => (draft = await draftBatch(tx, this.#head, candidates, sign)),
      )
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
    const before = this.#head
    try {
      const now = await this.#options.reload()
      if (draft?.next !== undefined && now.note === draft.next.note) return draft
      await assertExtends(this.#options.store, before, now)
      this.#head = now
      const raced = cause instanceof StoreError && cause.code === 'lost-race'
      if (!raced && now.note !== before.note)
        throw new Error('somebody else has written to this log', { cause })
      return { raced, error: new LedgerFatal('not-committed', 'the batch was rolled back', {}, { cause }) }
    } catch (unknown) {
      return {
        raced: false,
        error: this.#stop('outcome-unknown', 'the outcome of a batch is not known', unknown),
      }
    }
  }

  /** Committed, then published, then answered. */
  async #settle(waiting: readonly Waiting[], { outcomes, next }: Draft): Promise<void> {
    this.#head = next ?? this.#head
    try {
      if (!this.#options.isPublished(this.#head)) await this.#publish(this.#head)
    } catch (cause) {
      const error = new LedgerFatal('not-published', 'logged, but not published yet', {}, { cause })
      outcomes.forEach((outcome, i) => waiting[i]?.reject('refusal' in outcome ? outcome.refusal : error))
      return
    }
    outcomes.forEach((outcome, i) => answer(waiting[i], outcome, this.#head.size))
  }

  async #publish(head: LogHead): Promise<void> {
    try {
      await this.#options.publish(head)
    } catch (cause) {
      if (cause instanceof LedgerFatal) this.#stop(cause.code, cause.message, cause)
      throw cause
    }
  }

  #stop(code: LedgerFatal['code'], message: string, cause: unknown): LedgerFatal {
    const error = new LedgerFatal(code, message, {}, { cause })
    this.#stopped = error
    this.#options.log.fatal({ err: error }, 'the log has stopped')
    rejectAll(this.#queue.splice(0), error)
    this.#options.onFatal(error)
    return error
  }
}

interface Failure {
  readonly failed?: FailedCandidate
  readonly raced?: boolean
  readonly error?: LedgerFatal
}

class FailedBatch extends Error {
  override readonly name = 'FailedBatch'
  readonly draft: Draft | undefined

  constructor(draft: Draft | undefined, cause: unknown) {
    super('a batch failed', { cause })
    this.draft = draft
  }
}

function rejectOne(waiting: readonly Waiting[], { position, cause }: FailedCandidate): Waiting[] {
  waiting[position]?.reject(cause instanceof Error ? cause : new Error('a candidate failed', { cause }))
  return waiting.filter((_, i) => i !== position)
}

function rejectAll(waiting: readonly Waiting[], error: Error | undefined): void {
  for (const { reject } of waiting) reject(error ?? new LedgerClosed('the log is closed'))
}

function answer(waiting: Waiting | undefined, outcome: Outcome, size: number): void {
  if ('refusal' in outcome) waiting?.reject(outcome.refusal)
  else waiting?.resolve({ index: outcome.index, size, published: true })
}
