import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { inject } from 'vitest'

/** An empty database in the real PostgreSQL of this run. */
export interface TestDatabase {
  readonly url: string
  readonly name: string
  /** One statement as its owner, beside whatever else is connected. */
  query<T extends pg.QueryResultRow = pg.QueryResultRow>(
    sql: string,
    values?: readonly unknown[],
  ): Promise<T[]>
  /** Ends every connection to it, and it. */
  drop(): Promise<void>
}

/** The database of this run that the migrations were applied to. */
export const TEMPLATE = 'registry_template'

/** As a registry finds it that was started before: with its tables, and nothing in them. */
export function makeMigratedDatabase(): Promise<TestDatabase> {
  return make(inject('postgres'), ` TEMPLATE ${TEMPLATE} STRATEGY FILE_COPY`)
}

/** `server` is the maintenance database of another PostgreSQL than that of this run. */
export function makeDatabase(server: string = inject('postgres')): Promise<TestDatabase> {
  return make(server, '')
}

async function make(server: string, how: string): Promise<TestDatabase> {
  const name = `t${randomBytes(8).toString('hex')}`
  await insist(server, `CREATE DATABASE ${name}${how}`)
  const at = new URL(server)
  at.pathname = `/${name}`
  const url = at.href
  return {
    ...{ url, name },
    query: async <T extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []) =>
      (await once<T>(url, sql, values)).rows,
    drop: async () => {
      await insist(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    },
  }
}

const OBJECT_IN_USE = '55006'

/** The server waits 5 seconds for connections that are ending; on a busy machine that can be too short. */
async function insist(server: string, sql: string, tries = 12): Promise<void> {
  try {
    await once(server, sql)
  } catch (cause) {
    if (tries === 1 || (cause as { code?: string }).code !== OBJECT_IN_USE) throw cause
    await wait(100)
    await insist(server, sql, tries - 1)
  }
}

async function once<T extends pg.QueryResultRow>(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<pg.QueryResult<T>> {
  const client = new pg.Client({ connectionString: url })
  // Somebody may end it from outside; the statement that was under way says so.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await client.query<T>(sql, [...values])
  } finally {
    await client.end()
  }
}
