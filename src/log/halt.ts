import type { Logger } from 'pino'
import { LedgerFatal } from './errors.js'

/** The one switch that ends a log: sequencing, publication and reports all look at it, and each may throw it. */
export class Halt {
  #error: LedgerFatal | undefined
  readonly #listeners: ((error: LedgerFatal) => void)[] = []
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  /** Why nothing is signed any more; undefined while the log goes on. */
  get error(): LedgerFatal | undefined {
    return this.#error
  }

  /** Told once, in the order of asking. */
  onStop(listener: (error: LedgerFatal) => void): void {
    this.#listeners.push(listener)
  }

  /** For good. The first reason is the one that is kept, and returned. */
  stop(error: LedgerFatal): LedgerFatal {
    if (this.#error !== undefined) return this.#error
    this.#error = error
    this.#log.fatal({ err: error }, 'the log has stopped')
    for (const listener of this.#listeners) listener(error)
    return error
  }
}
