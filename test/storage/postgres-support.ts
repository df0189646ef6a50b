import { openPostgresStore, type PostgresOptions } from '../../src/storage/postgres.js'
import type { BatchTx, Store } from '../../src/storage/store.js'
import { PATIENT_MS } from '../support/ledger.js'
import { makeDatabase, type TestDatabase } from '../support/postgres.js'
import { batchOf, published } from './contract.js'

/** One that gives up nothing only because the machine is late; what is to be late in a test, it says. */
export const openPatient = (url: string, options: PostgresOptions = {}): Promise<Store> =>
  openPostgresStore(url, {
    ...{ connectMs: PATIENT_MS, batchWaitMs: PATIENT_MS, idleInTransactionMs: PATIENT_MS },
    ...options,
  })

/** Who waits for a lock of this database: sessions of others on the same server, and of the server itself, do not count. */
export const WAITING = `SELECT pid FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND wait_event_type = 'Lock'`

/** A database with every table and no row. */
export async function migratedDatabase(): Promise<TestDatabase> {
  const database = await makeDatabase()
  await (await openPatient(database.url)).close()
  return database
}

/** Takes every row away but those of the migrations; much quicker than another database. */
export async function emptyTables(database: TestDatabase): Promise<void> {
  await database.query(EMPTY)
}

const EMPTY = `DO $$ DECLARE name text; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migrations' LOOP
    EXECUTE format('DELETE FROM %I', name);
  END LOOP;
  PERFORM setval(seqrelid::regclass, 1, false) FROM pg_sequence;
END $$`

/** One entry behind whatever there is. */
export const grow = (
  store: Store,
  also: (tx: BatchTx) => Promise<unknown> = async () => undefined,
): Promise<void> =>
  store.commitBatch(async (tx) => {
    const { size, note } = await tx.readLogState()
    await also(tx)
    await tx.append(batchOf(size, note, 1))
  })

/** One of every kind of method: reads, writes, transactions, a batch. */
export const everyKind = (store: Store): Promise<unknown>[] => [
  store.readLogState(),
  store.readManifest(`sha256:${'0'.repeat(64)}`),
  store.readRevocationList('0'.repeat(64)),
  store.readConsistently((reads) => reads.readLogState()),
  store.readSettledLogState(),
  store.grantNamespace('com.example', 'author', 'admin'),
  store.keepFact('name', 'value'),
  store.publishCheckpoint(0, published('cosigned')),
  store.useOnce('kind', 'value', Number.MAX_SAFE_INTEGER),
  store.takeIdempotencyKey('key', 'fingerprint', Date.now()),
  store.putOAuth('model', 'id', '{}', {}, Number.MAX_SAFE_INTEGER),
  store.redeemRecovery('hash', 'password', 1),
  store.listVersions({ limit: 1, before: 1, deleted: false }),
  store.addAuditRecord({ at: 1, account: 'author', action: 'tried', target: 'target', detail: '{}' }),
  store.claimDueWebhooks(1, 1, 1),
  grow(store),
]
