import { fileURLToPath } from 'node:url'
import { StoreError } from '../errors.js'
import { pendingMigrations, readMigrations, type AppliedMigration, type Migration } from '../migrate.js'
import type { Line, Pool } from './pool.js'
import { beginning } from './transaction.js'

/** Beside `src/` and beside `dist/` alike. */
const MIGRATIONS = fileURLToPath(new URL('../../../migrations/postgres/', import.meta.url))

/** A number that nothing else in this database takes a lock of: two processes may start at once. */
const LOCK = 0x636f756e746572

interface Server {
  version: number
  encoding: string
  commits: string
  standby: boolean
}

/** Sees to it that the server is one that keeps what it says it keeps, and brings the tables up to date. */
export async function prepareSchema(pool: Pool): Promise<void> {
  const known = readMigrations(MIGRATIONS)
  await pool.lend(async (line) => {
    await assertServer(line)
    // Steps on a large database take as long as they take.
    await line.sendAll(beginning(pool, { statementMs: 0, lockMs: 0 }))
    try {
      await migrate(line, known)
      await line.send('COMMIT')
    } catch (cause) {
      await line.send('ROLLBACK').catch(() => undefined)
      throw cause
    }
  })
}

async function assertServer(line: Line): Promise<void> {
  const { rows } = await line.send<Server>(
    `SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS standby,
       current_setting('server_encoding') AS encoding, current_setting('synchronous_commit') AS commits`,
  )
  const [server] = rows
  if (server === undefined) throw new StoreError('io', 'the database does not say what it is')
  if (server.version < 160_000) throw new StoreError('io', 'the database is older than PostgreSQL 16')
  if (server.encoding !== 'UTF8') throw new StoreError('io', 'the encoding of the database is not UTF8')
  // An answer is durable: what was answered is there after the server's machine lost its power.
  if (server.commits === 'off') throw new StoreError('io', 'synchronous_commit of the database is off')
  if (server.standby) throw new StoreError('unavailable', 'the database is a standby')
}

async function migrate(line: Line, known: readonly Migration[]): Promise<void> {
  await line.send(`SELECT pg_advisory_xact_lock(${LOCK})`, [], 0)
  for (const { step, name, checksum, sql } of pendingMigrations(known, await readApplied(line))) {
    await line.sendAll(sql, 0)
    await line.send('INSERT INTO migrations (step, name, checksum) VALUES ($1, $2, $3)', [
      step,
      name,
      checksum,
    ])
  }
}

async function readApplied(line: Line): Promise<AppliedMigration[]> {
  const { rows } = await line.send<{ there: boolean }>(
    "SELECT to_regclass('migrations') IS NOT NULL AS there",
  )
  // Only who has to make it needs the right to: a database that is up to date is opened with less.
  if (rows[0]?.there !== true) {
    await line.send(`CREATE TABLE migrations (
      step bigint PRIMARY KEY, name text COLLATE "C" NOT NULL, checksum text COLLATE "C" NOT NULL)`)
  }
  const applied = await line.send<AppliedMigration>(
    'SELECT step, name, checksum FROM migrations ORDER BY step',
  )
  return applied.rows
}
