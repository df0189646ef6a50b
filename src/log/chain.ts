import type { Store } from '../storage/store.js'
import { assertContains, catchUp } from './catch-up.js'
import { LedgerFatal } from './errors.js'
import { readOwnState, type LogHead } from './head.js'
import type { RegistryKeys } from './keys.js'

type ChainReads = Pick<Store, 'isShared' | 'readTile' | 'readLogState'>

/**
 * The newest committed head that this process knows. Whoever learns of one, by its own batch or from the database,
 * hands it in here, and it goes on only to trees that contain the one before: two ways of learning can never end up
 * with two histories.
 */
export class Chain {
  #head: LogHead
  readonly #store: ChainReads
  readonly #keys: RegistryKeys

  constructor(head: LogHead, store: ChainReads, keys: RegistryKeys) {
    this.#head = head
    this.#store = store
    this.#keys = keys
  }

  get head(): LogHead {
    return this.#head
  }

  /**
   * What the next batch is built on, read inside its transaction: nobody moves the log before that ends. Where nobody
   * else writes, a log that has moved is for the batch itself to find out.
   */
  catchUp(reads: Parameters<typeof catchUp>[0], known: LogHead = this.#head): Promise<LogHead> {
    return this.#store.isShared ? catchUp(reads, known, this.#keys) : Promise.resolve(known)
  }

  /** Takes a committed head that was proved to contain `proved`. Throws LedgerFatal `rollback`, or `log-succeeded`. */
  async take(next: LogHead, proved: LogHead): Promise<void> {
    let before = proved
    // Somebody else has handed one in meanwhile: each of the two proves itself against the other.
    while (before !== this.#head) {
      before = this.#head
      const [older, newer] = before.size <= next.size ? [before, next] : [next, before]
      await this.#assertContains(older, newer)
    }
    if (next.size > before.size) this.#head = next
  }

  /** The tiles may be gone since, with the log that was ended. */
  async #assertContains(older: LogHead, newer: LogHead): Promise<void> {
    try {
      await assertContains((level, n) => this.#store.readTile(level, n), older, newer)
    } catch (cause) {
      if (this.#store.isShared && cause instanceof LedgerFatal) await readOwnState(this.#store, this.#keys)
      throw cause
    }
  }
}
