import { StoreError } from '../errors.js'
import type { Queries } from './desk.js'
import { isRolledBack, translateError } from './errors.js'
import { longestMs, queriesOver, type Line, type Pool } from './pool.js'

export interface TransactionOptions {
  readonly isolation?: 'READ COMMITTED' | 'REPEATABLE READ'
  readonly access?: 'READ WRITE' | 'READ ONLY'
  /** Longest statement; 0 for no end. */
  readonly statementMs?: number
  /** Longest wait for a lock: longer than a silent transaction keeps one, unless said otherwise. */
  readonly lockMs?: number
  /** How long it may say nothing. */
  readonly silentMs?: number
}

/** What BEGIN and the statements right behind it are. */
export function beginning(pool: Pool, options: TransactionOptions = {}): string {
  const { isolation = 'READ COMMITTED', access = 'READ WRITE' } = options
  return `BEGIN ISOLATION LEVEL ${isolation} ${access}; ${limits(pool, options)}`
}

/** Limits hold for this transaction alone: the next one over the connection may be somebody else's. */
export function limits({ settings }: Pool, options: TransactionOptions = {}): string {
  const lockMs = options.lockMs ?? settings.idleInTransactionMs + 2000
  return [
    `SET LOCAL statement_timeout = ${whole(options.statementMs ?? longestMs(settings))}`,
    `SET LOCAL lock_timeout = ${whole(lockMs)}`,
    `SET LOCAL idle_in_transaction_session_timeout = ${whole(options.silentMs ?? settings.idleInTransactionMs)}`,
  ].join('; ')
}

function whole(ms: number): string {
  return String(Math.max(0, Math.trunc(ms)))
}

/** Runs `work` in a transaction of its own; nothing of it happened when this rejects with anything but `commit-unknown`. */
export function runTransaction<T>(
  pool: Pool,
  work: (db: Queries) => Promise<T>,
  options?: TransactionOptions,
): Promise<T> {
  return pool.lend(async (line) => {
    await line.sendAll(beginning(pool, options))
    return finishTransaction(line, work)
  })
}

/** A transaction that changes nothing: whether its COMMIT was heard decides nothing, so it was only not answered. */
export async function runReading<T>(
  pool: Pool,
  work: (db: Queries) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  try {
    return await runTransaction(pool, work, options)
  } catch (cause) {
    const isUnknown = cause instanceof StoreError && cause.code === 'commit-unknown'
    throw isUnknown ? translateError(cause.cause) : cause
  }
}

/** From behind BEGIN to the end: COMMIT when `work` resolves, ROLLBACK when it rejects. */
export async function finishTransaction<T>(line: Line, work: (db: Queries) => Promise<T>): Promise<T> {
  const open = openStatements(line)
  let result: T
  try {
    result = await work(open.db)
  } catch (cause) {
    open.end()
    await rollBack(line)
    throw cause
  }
  open.end()
  await commit(line, open.failure())
  return result
}

/** The statements of one transaction: none behind its end, where it would stand in another one, or in none. */
function openStatements(line: Line) {
  let isOpen = true
  let failure: StoreError | undefined
  const db = queriesOver(async (sql, values) => {
    if (!isOpen) throw new StoreError('misuse', 'this transaction has ended')
    try {
      return await line.send(sql, values)
    } catch (cause) {
      // Whatever follows the first failure is refused for its sake.
      failure ??= translateError(cause)
      throw failure
    }
  })
  return { db, end: () => void (isOpen = false), failure: () => failure }
}

/** `failure` is what a statement said: after it the server answers COMMIT with a rollback. */
async function commit(line: Line, failure: StoreError | undefined): Promise<void> {
  const { command } = await line.send('COMMIT').catch((cause: unknown) => {
    throw outcomeOf(translateError(cause))
  })
  if (command !== 'COMMIT') throw failure ?? new StoreError('io', `COMMIT was answered ${command}`)
}

function outcomeOf(error: StoreError): StoreError {
  if (isRolledBack(error)) return error
  return new StoreError('commit-unknown', 'COMMIT was not answered', { cause: error })
}

/** A connection that cannot even do this is given up by the pool, and the server rolls back by itself. */
async function rollBack(line: Line): Promise<void> {
  try {
    await line.send('ROLLBACK')
  } catch (cause) {
    if (!(cause instanceof StoreError)) throw cause
  }
}
