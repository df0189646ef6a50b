import type { Store } from './store.js'
import { accountStore } from './postgres/accounts.js'
import { batchRunner } from './postgres/batch.js'
import { catalogueStore } from './postgres/catalogue.js'
import { checkReads } from './postgres/check.js'
import type { Settings } from './postgres/connection.js'
import type { Desk } from './postgres/desk.js'
import { directoryStore } from './postgres/directory.js'
import { idempotencyStore } from './postgres/idempotency.js'
import { logStore } from './postgres/log.js'
import { manifestStore } from './postgres/manifests.js'
import { oauthStore } from './postgres/oauth.js'
import { openPool, pooledQueries, type Pool } from './postgres/pool.js'
import { reviewStore } from './postgres/review.js'
import { prepareSchema } from './postgres/schema.js'
import { sharedStore } from './postgres/shared.js'
import { runTransaction } from './postgres/transaction.js'
import { trustedPublisherStore } from './postgres/trusted-publishers.js'
import { openWatch } from './postgres/watch.js'
import { webhookStore } from './postgres/webhooks.js'

/** How the database is used; everything has a default that suits a registry behind a pooler. */
export interface PostgresOptions {
  /** POSIX milliseconds, for everything that expires. */
  readonly now?: () => number
  /** Most connections of this process, beside the one that listens. Default 10. */
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
export async function openPostgresStore(url: string, options: PostgresOptions = {}): Promise<Store> {
  const { now = Date.now, ...rest } = options
  const pool = openPool(settingsOf(url, rest))
  try {
    await prepareSchema(pool)
    return storeOver(pool, now)
  } catch (cause) {
    await pool.close()
    throw cause
  }
}

function settingsOf(url: string, options: Omit<PostgresOptions, 'now'>): Settings {
  const defaults = { connections: 10, batchWaitMs: 10_000, idleInTransactionMs: 10_000 }
  return { url, ...defaults, statementMs: 30_000, connectMs: 5000, ...options }
}

function storeOver(pool: Pool, now: () => number): Store {
  const desk = deskOver(pool, now)
  const watch = openWatch(pool, desk.db)
  return {
    ...logStore(desk),
    commitBatch: batchRunner(pool, now),
    ...checkReads(desk.db),
    ...directoryStore(desk),
    ...manifestStore(desk),
    ...catalogueStore(desk),
    ...reviewStore(desk),
    ...accountStore(desk),
    ...trustedPublisherStore(desk),
    ...oauthStore(desk),
    ...webhookStore(desk),
    ...idempotencyStore(desk),
    ...sharedStore(pool, desk, watch),
    close: async () => {
      await watch.close()
      await pool.close()
    },
  }
}

function deskOver(pool: Pool, now: () => number): Desk {
  return {
    db: pooledQueries(pool),
    transaction: (work) => runTransaction(pool, work),
    ...{ now, seconds: () => Math.floor(now() / 1000) },
  }
}
