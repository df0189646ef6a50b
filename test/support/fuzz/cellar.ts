import { join } from 'node:path'
import { createHash } from 'node:crypto'
import Database from 'better-sqlite3'
import pg from 'pg'
import { makeDatabase, type TestDatabase } from '../postgres.js'

/** What is stored, as one word a table: whether a request left something behind. */
export interface Cellar {
  readonly databaseUrl?: string
  /** Opens it, when the registry stands. */
  look(dir: string): Promise<ReadonlyMap<string, string>>
  close(): Promise<void>
}

/**
 * What a refused request may leave: that it was made. Keys of repeated requests, wrong passwords, proofs of possession and
 * counters are kept so that the next one is refused as well.
 */
const LEDGER_OF_REQUESTS = new Set(['idempotency', 'rate_limits', 'used_once', 'oauth', 'audit'])

export async function openCellar(): Promise<Cellar> {
  return process.env['TEST_ENGINE'] === 'postgres' ? overPostgres(await makeDatabase()) : overSqlite()
}

function overSqlite(): Cellar {
  let db: Database.Database | undefined
  return {
    look(dir) {
      db ??= new Database(join(dir, 'data', 'registry.sqlite'), { readonly: true })
      const open = db
      const names = open
        .prepare<[], { name: string }>(`SELECT name FROM sqlite_master WHERE type = 'table'`)
        .all()
      const tables = names.filter(({ name }) => !LEDGER_OF_REQUESTS.has(name) && !name.startsWith('sqlite_'))
      const words = tables.map(({ name }) => {
        const rows = open.prepare(`SELECT * FROM "${name}"`).raw().all()
        return [
          name,
          `${rows.length} ${createHash('sha256').update(JSON.stringify(rows)).digest('hex')}`,
        ] as const
      })
      return Promise.resolve(new Map(words))
    },
    close() {
      db?.close()
      return Promise.resolve()
    },
  }
}

async function overPostgres(database: TestDatabase): Promise<Cellar> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  let statement: string | undefined
  return {
    databaseUrl: database.url,
    async look() {
      statement ??= await wordOfEach(database)
      const { rows } = await client.query<{ name: string; word: string }>(statement)
      return new Map(rows.map(({ name, word }) => [name, word]))
    },
    async close() {
      await client.end()
      await database.drop()
    },
  }
}

/** One statement for all tables; they are there since the registry stands. */
async function wordOfEach(database: TestDatabase): Promise<string> {
  const names = await database.query<{ tablename: string }>(
    `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename`,
  )
  const tables = names.map(({ tablename }) => tablename).filter((name) => !LEDGER_OF_REQUESTS.has(name))
  const digest = `coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '')`
  const parts = tables.map(
    (name) => `SELECT '${name}' AS name, count(*) || ' ' || ${digest} AS word FROM "${name}" t`,
  )
  return parts.join(' UNION ALL ')
}
