import type { Logger } from 'pino'
import type { LogState, Store } from '../storage/store.js'
import { catchUp, readShown } from './catch-up.js'
import type { Chain } from './chain.js'
import { LedgerFatal } from './errors.js'
import { assertNotHalted } from './halted.js'
import type { Halt } from './halt.js'
import type { LogHead } from './head.js'
import type { RegistryKeys } from './keys.js'
import type { Shown } from './publisher.js'

/** Where heads and publications of other processes go. */
export interface Adopter {
  /** What is published here. */
  readonly shown: Shown | undefined
  /** The newest head that was taken to its end. */
  readonly committed: LogHead
  /**
   * Takes a committed head, and what is published by the database, which was read when `asOf` was shown here. False
   * when it cannot tell which of two publications is the newer one: it is to be read again.
   */
  adopt(head: LogHead, published?: Shown, asOf?: Shown): Promise<boolean>
}

export interface FollowerOptions {
  readonly store: Store
  readonly keys: RegistryKeys
  readonly chain: Chain
  readonly adopter: Adopter
  readonly halt: Halt
  readonly log: Logger
  /** How often the database is asked when nothing is heard of it. Default 1000. */
  readonly everyMs?: number | undefined
}

/** How long a hint waits for others. */
const GATHERING_MS = 25

/**
 * What other processes write to the same log becomes known here: by the store's hints, by a clock because hints are
 * lost, and before every answer that must be as of now. One look at a time.
 */
export class Follower {
  /** Not begun yet: whoever comes before it begins may wait for it. */
  #next: Promise<void> | undefined
  #lane: Promise<void> = Promise.resolve()
  #isFailing = false
  #unwatch: () => void = () => undefined
  #timer: NodeJS.Timeout | undefined
  #hinted: NodeJS.Timeout | undefined
  readonly #options: FollowerOptions

  constructor(options: FollowerOptions) {
    this.#options = options
  }

  start(): void {
    const { store, everyMs = 1000 } = this.#options
    this.#unwatch = store.watch(() => {
      // Under load there is a hint for every batch of everybody: one look is enough for those that come close together.
      this.#hinted ??= setTimeout(() => {
        this.#hinted = undefined
        this.#lookAside()
      }, GATHERING_MS).unref()
    })
    this.#timer = setInterval(
      () => this.#lookAside(this.#inTurn(() => this.#assertGoesOn())),
      everyMs,
    ).unref()
  }

  /** A look that began before the caller came proves nothing to it: it waits for the next one. */
  sync(): Promise<void> {
    if (this.#next !== undefined) return this.#next
    return (this.#next = this.#inTurn(() => {
      this.#next = undefined
      return this.#look()
    }))
  }

  /** Ends after the look that is under way. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#unwatch()
    clearTimeout(this.#hinted)
    await this.#lane
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#lane.then(work)
    this.#lane = mine.catch(() => undefined)
    return mine
  }

  /** Nobody waits for it: a database that is away is said once. */
  #lookAside(before?: Promise<void>): void {
    const { log, halt } = this.#options
    void Promise.all([before, this.sync()]).then(
      () => {
        this.#isFailing = false
      },
      (cause: unknown) => {
        if (!this.#isFailing && halt.error === undefined)
          log.error({ err: cause }, 'the database cannot say how far the log is; it is asked again')
        this.#isFailing = true
      },
    )
  }

  async #look(): Promise<void> {
    const { halt } = this.#options
    for (let isDone = false; !isDone;) {
      if (halt.error !== undefined) throw halt.error
      isDone = await this.#lookOnce().catch((cause: unknown) => this.#fail(cause))
    }
  }

  /** What was proved to a process of another machine ends this one, too. */
  async #assertGoesOn(): Promise<void> {
    const { store, keys, halt } = this.#options
    if (halt.error === undefined)
      await assertNotHalted(store, keys).catch((cause: unknown) => this.#fail(cause))
  }

  #fail(cause: unknown): never {
    throw cause instanceof LedgerFatal ? this.#options.halt.stop(cause) : cause
  }

  async #lookOnce(): Promise<boolean> {
    const { store, keys, chain, adopter } = this.#options
    const { head: known } = chain
    const { shown, committed } = adopter
    // A head may be known, and what was to be done with it have failed.
    if (isAsKnown(await store.readLogState(), committed, shown)) return true
    const seen = await store.readConsistently(async (reads) => {
      const head = await catchUp(reads, known, keys)
      const state = await reads.readLogState()
      return { head, published: state && (await readShown(reads, keys, head, state, shown)) }
    })
    await chain.take(seen.head, known)
    return adopter.adopt(seen.head, seen.published, shown)
  }
}

/** The one row says that nothing has moved: nearly always, and all that is read then. */
function isAsKnown(state: LogState | undefined, head: LogHead, shown: Shown | undefined): boolean {
  if (state?.note !== head.note) return false
  return shown === undefined ? state.publishedSize === 0 : state.publishedNote === shown.note
}
