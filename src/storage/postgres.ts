import { StoreError } from './errors.js'
import type { Store } from './store.js'

/** How the database is used; everything has a default that suits a registry behind a pooler. */
export interface PostgresOptions {
  /** POSIX milliseconds, for everything that expires. */
  readonly now?: () => number
  /** Most connections of this process. Default 10. */
  readonly connections?: number
  /** How long a batch waits for the batches of other processes before it is `busy`. Default 10000. */
  readonly batchWaitMs?: number
  /** A transaction that says nothing for so long is ended by the server, and its row is free. Default 10000. */
  readonly idleInTransactionMs?: number
  /** Longest statement. Default 30000. */
  readonly statementMs?: number
  /** For a new connection. Default 5000. */
  readonly connectMs?: number
}

/**
 * The cellar in a PostgreSQL database, for any number of processes. Throws StoreError `unavailable` when it cannot be
 * reached, `migration-…` when it is of another version.
 */
export function openPostgresStore(url: string, options: PostgresOptions = {}): Promise<Store> {
  return Promise.reject(
    new StoreError('unavailable', `not there yet: ${url.length} ${Object.keys(options).length}`),
  )
}
