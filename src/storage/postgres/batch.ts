import { accountReads } from './accounts.js'
import { batchAudit, type BatchAudit } from './audit.js'
import type { Queries } from './desk.js'
import { directoryReads, directoryWrites, readGrant } from './directory.js'
import { append, isLogged, logReads, putRootNote, STATE, stateOf, type StateRecord } from './log.js'
import { manifestReads, manifestWrites } from './manifests.js'
import type { Line, Pool } from './pool.js'
import { proofWrites } from './proofs.js'
import { reviewReads } from './review.js'
import { succeed } from './succession.js'
import { beginning, finishTransaction, limits } from './transaction.js'
import { StoreError } from '../errors.js'
import type { BatchTx, LogState, LogStore } from '../store.js'

/** Batches of this process stand in one line; with those of others they meet at the lock of the state row. */
export function batchRunner(pool: Pool, now: () => number): LogStore['commitBatch'] {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(() => runInTurn(pool, now, work))
    last = mine.catch(() => undefined)
    return mine
  }
}

/** What a try found when another process was there first. */
const LOCKED = Symbol('locked')

/** How long a process stands in line at the row before it looks whether it may go on doing so. */
const IN_LINE_MS = 250
/** Who is handed the row has to say something: it may have been stopped while it stood in line. */
const HANDED_MS = 5000

type Work<T> = (tx: BatchTx) => Promise<T>

/** The free row is taken; for one that is not, this process stands in line, so that none is always first. */
async function runInTurn<T>(pool: Pool, now: () => number, work: Work<T>): Promise<T> {
  const { batchWaitMs, idleInTransactionMs } = pool.settings
  const start = performance.now()
  let outcome = await tryBatch(pool, now, work, `${beginning(pool)}; ${STATE} FOR UPDATE SKIP LOCKED`)
  while (outcome === LOCKED) {
    const left = start + batchWaitMs - performance.now()
    if (left <= 0) throw new StoreError('busy', 'batches of other processes took too long')
    const line = {
      lockMs: Math.min(left + 1, IN_LINE_MS),
      silentMs: Math.min(HANDED_MS, idleInTransactionMs),
    }
    outcome = await tryBatch(pool, now, work, `${beginning(pool, line)}; ${STATE} FOR UPDATE`)
  }
  return outcome
}

function tryBatch<T>(
  pool: Pool,
  now: () => number,
  work: Work<T>,
  opening: string,
): Promise<T | typeof LOCKED> {
  return pool.lend(async (line) => {
    const state = await openBatch(line, opening)
    if (state === LOCKED) return LOCKED
    return finishTransaction(line, async (db) => {
      await line.sendAll(limits(pool))
      const audit = batchAudit(db)
      const result = await work(batchTx(db, now, state, audit))
      await audit.flush()
      return result
    })
  })
}

/** Begins, and takes the state row. */
async function openBatch(line: Line, opening: string): Promise<LogState | typeof LOCKED> {
  try {
    const { rows } = await line.sendAll<StateRecord>(opening)
    return stateOf(rows[0]) ?? (await noState(line))
  } catch (cause) {
    if (!(cause instanceof StoreError) || cause.code !== 'busy') throw cause
    await line.send('ROLLBACK')
    return LOCKED
  }
}

async function noState(line: Line): Promise<typeof LOCKED> {
  const { rows } = await line.send('SELECT 1 FROM log_state')
  await line.send('ROLLBACK')
  if (rows.length === 0) throw new StoreError('not-initialised', 'this database has no log yet')
  return LOCKED
}

function batchTx(db: Queries, now: () => number, { base, size }: LogState, audit: BatchAudit): BatchTx {
  const { readAccount, countAccounts } = accountReads(db, now)
  return {
    ...directoryReads(db),
    ...manifestReads(db),
    ...reviewReads(db),
    ...{ readAccount, countAccounts },
    ...logSteps(db),
    ...directoryWrites(db, base + size),
    ...proofWrites(db, now),
    ...manifestWrites(db, now),
    readGrant: (namespace) => readGrant(db, namespace),
    addAudit: (row) => {
      audit.add(row)
      return Promise.resolve()
    },
  }
}

function logSteps(db: Queries) {
  const { readLogState, ...reads } = logReads(db)
  let isAppended = false
  return {
    ...reads,
    readLogState: async () => existing(await readLogState()),
    isLogged: (leafHash) => isLogged(db, leafHash),
    putRootNote: (row) => putRootNote(db, row),
    succeed: (successor) => succeed(db, successor),
    append: async (batch) => {
      if (isAppended) throw new StoreError('misuse', 'a batch appends once')
      isAppended = true
      await append(db, batch)
    },
  } satisfies Partial<BatchTx>
}

function existing(state: LogState | undefined): LogState {
  if (state === undefined) throw new StoreError('not-initialised', 'this database has no log yet')
  return state
}
