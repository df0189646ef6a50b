import pg from 'pg'
import { StoreError } from '../errors.js'
import { connectionOptions, type Settings } from './connection.js'
import type { Queries, Value } from './desk.js'
import { isConnectionLost, translateError } from './errors.js'

/** One connection, as long as it is lent. */
export interface Line {
  /** `timeoutMs`: how long the answer is waited for, 0 for ever; the connection is given up then. */
  send<R extends object>(sql: string, values?: readonly Value[], timeoutMs?: number): Promise<Answer<R>>
  /** Several statements in one message, without parameters; the answer of the last one. */
  sendAll<R extends object>(sql: string, timeoutMs?: number): Promise<Answer<R>>
}

export interface Answer<R> {
  readonly rows: R[]
  readonly changed: number
  /** What the server says it did: `COMMIT` can be answered with `ROLLBACK`. */
  readonly command: string
}

export interface Pool {
  readonly settings: Settings
  /** Lends a connection. What `work` rejects with decides whether it is used again. */
  lend<T>(work: (line: Line) => Promise<T>): Promise<T>
  /** Waits for what is under way. */
  close(): Promise<void>
}

/** How much longer than the server this side waits: the server's word is the better one. */
const GRACE_MS = 5000
const LOCK_GRACE_MS = 3000

export function openPool(settings: Settings): Pool {
  const pool = new pg.Pool({
    ...connectionOptions(settings),
    ...{ max: settings.connections, idleTimeoutMillis: 30_000 },
  })
  // A connection that ends says so to whoever uses it; of one that nobody uses, nothing is lost.
  pool.on('error', ignore)
  pool.on('connect', (client) => client.on('error', ignore))
  const lent = new Set<Promise<unknown>>()
  let closing: Promise<void> | undefined
  const lend = async <T>(work: (line: Line) => Promise<T>): Promise<T> => {
    const client = await connect(pool)
    return useOnce(client, work, longestMs(settings) + GRACE_MS)
  }
  return {
    settings,
    lend: async (work) => {
      if (closing !== undefined) throw new StoreError('closed', 'the store is closed')
      const use = lend(work)
      lent.add(use)
      return use.finally(() => lent.delete(use))
    },
    // The pool's own end would leave those who stand in line for a connection standing there.
    close: () => (closing ??= Promise.allSettled(lent).then(() => pool.end())),
  }
}

/** A statement may first wait for a lock that a silent transaction keeps until the server ends it. */
export function longestMs({ statementMs, idleInTransactionMs }: Settings): number {
  return Math.max(statementMs, idleInTransactionMs + LOCK_GRACE_MS)
}

function ignore(): void {
  return undefined
}

async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect()
  } catch (cause) {
    throw translateError(cause)
  }
}

async function useOnce<T>(
  client: pg.PoolClient,
  work: (line: Line) => Promise<T>,
  timeoutMs: number,
): Promise<T> {
  let isLost = false
  const watching = async <R>(answer: Promise<R>): Promise<R> => {
    try {
      return await answer
    } catch (cause) {
      const error = translateError(cause)
      isLost ||= isConnectionLost(error)
      throw error
    }
  }
  try {
    return await work({
      send: (sql, values = [], timeout = timeoutMs) => watching(ask(client, sql, values, timeout)),
      sendAll: (sql, timeout = timeoutMs) => watching(askAll(client, sql, timeout)),
    })
  } finally {
    client.release(isLost)
  }
}

/** The driver's option that its types do not know. */
type Query = pg.QueryConfig<unknown[]> & { readonly query_timeout: number }

async function ask<R extends object>(
  client: pg.PoolClient,
  text: string,
  values: readonly Value[],
  timeoutMs: number,
): Promise<Answer<R>> {
  const query: Query = { text, values: [...values], query_timeout: timeoutMs }
  return answerOf(await client.query<R>(query))
}

async function askAll<R extends object>(
  client: pg.PoolClient,
  text: string,
  timeoutMs: number,
): Promise<Answer<R>> {
  const query: Query = { text, query_timeout: timeoutMs }
  const results = (await client.query<R>(query)) as pg.QueryResult<R> | pg.QueryResult<R>[]
  const last = Array.isArray(results) ? results.at(-1) : results
  if (last === undefined) throw new StoreError('io', 'nothing was asked of the database')
  return answerOf(last)
}

function answerOf<R extends object>({ rows, rowCount, command }: pg.QueryResult<R>): Answer<R> {
  return { rows, changed: rowCount ?? 0, command }
}

type Send = <R extends object>(sql: string, values: readonly Value[]) => Promise<Answer<R>>

const NOTHING = { rows: [], changed: 0, command: 'SELECT' }

/** Statements over whatever sends them. */
export function queriesOver(send: Send): Queries {
  const ask = async <R extends object>(sql: string, values: readonly Value[] = []): Promise<Answer<R>> => {
    if (!values.some(hasNul)) return send<R>(sql, values)
    // PostgreSQL's text cannot hold NUL: no row has it, to be found or taken away, and none can be given it.
    if (/^\s*(?:SELECT|DELETE)\b/i.test(sql)) return NOTHING
    throw new StoreError('constraint', 'text with NUL')
  }
  return {
    all: async <R extends object>(sql: string, values?: readonly Value[]) => (await ask<R>(sql, values)).rows,
    get: async <R extends object>(sql: string, values?: readonly Value[]) =>
      (await ask<R>(sql, values)).rows[0],
    run: async (sql, values) => (await ask(sql, values)).changed,
  }
}

function hasNul(value: Value): boolean {
  if (typeof value === 'string') return value.includes('\0')
  return Array.isArray(value) && value.some(hasNul)
}

/** Each statement on whichever connection is free. */
export function pooledQueries(pool: Pool): Queries {
  return queriesOver((sql, values) => pool.lend((line) => line.send(sql, values)))
}
