import { createHash } from 'node:crypto'
import { StoreError } from '../errors.js'
import { memoryCounter } from '../memory-counter.js'
import type { Desk, Queries } from './desk.js'
import { openSweep } from './sweep.js'
import type { Counter, CounterRate, CounterState } from '../store.js'

/** Milliseconds by the database's clock, which is one for all processes. */
const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint'

const TAKE = `INSERT INTO rate_limits AS r (key, points, expire) VALUES ($1, $2, ${NOW} + $3::bigint)
  ON CONFLICT (key) DO UPDATE SET
    points = CASE WHEN r.expire <= ${NOW} THEN excluded.points ELSE r.points + excluded.points END,
    expire = CASE WHEN r.expire <= ${NOW} THEN excluded.expire ELSE r.expire END
  RETURNING points, greatest(expire - ${NOW}, 0) AS wait`
const GIVE_BACK = `UPDATE rate_limits SET points = greatest(points - $2::bigint, 0) WHERE key = $1 AND expire > ${NOW}`
const HAS = `SELECT 1 AS is FROM rate_limits WHERE key = $1 AND expire > ${NOW} AND points > 0`

const SWEPT = { table: 'rate_limits', key: 'key', expires: 'expire', perSecond: 1000 } as const

interface Taken {
  readonly points: number
  readonly wait: number
}

/**
 * Counts of all processes together. While the database says nothing each process counts for itself: limits get wider,
 * never off.
 */
export function sharedCounter(
  { db, now }: Pick<Desk, 'db' | 'now'>,
  name: string,
  rate: CounterRate,
): Counter {
  const sweep = openSweep(db, now, SWEPT)
  const insurance = memoryCounter(rate)
  const nameOf = (key: string): string => rowName(name, key)
  const takeMany = openMerging(async (key, points) => {
    await sweep()
    return takeRow(db, nameOf(key), points, rate)
  })
  return {
    take: (key, points = 1) =>
      insured(
        async () => stateOf(await takeMany(key, points), rate),
        () => insurance.take(key, points),
      ),
    giveBack: (key, points = 1) =>
      insured(
        async () => {
          await db.run(GIVE_BACK, [nameOf(key), points])
        },
        () => insurance.giveBack(key, points),
      ),
    has: (key) =>
      insured(
        async () => (await db.get(HAS, [nameOf(key)])) !== undefined,
        () => insurance.has(key),
      ),
    forget: async (key) => {
      await insurance.forget(key)
      await insured(
        async () => {
          await db.run('DELETE FROM rate_limits WHERE key = $1', [nameOf(key)])
        },
        () => Promise.resolve(),
      )
    },
  }
}

/** Only what a database that is away says; a mistake of ours is not to be counted around. */
async function insured<T>(shared: () => Promise<T>, alone: () => Promise<T>): Promise<T> {
  try {
    return await shared()
  } catch (cause) {
    if (!(cause instanceof StoreError) || !['unavailable', 'busy'].includes(cause.code)) throw cause
    return alone()
  }
}

/** An index holds no long text and no NUL. */
function rowName(name: string, key: string): string {
  const isPlain = key.length <= 256 && !key.includes('\0')
  return `${name}:${isPlain ? key : createHash('sha256').update(key, 'utf8').digest('hex')}`
}

async function takeRow(db: Queries, key: string, points: number, { seconds }: CounterRate): Promise<Taken> {
  const taken = await db.get<Taken>(TAKE, [key, points, Math.ceil(seconds * 1000)])
  if (taken === undefined) throw new StoreError('io', 'a counter did not answer')
  return taken
}

function stateOf({ points: taken, wait }: Taken, { points }: CounterRate): CounterState {
  return { isAllowed: taken <= points, remaining: Math.max(0, points - taken), resetMs: wait }
}

interface Waiting {
  readonly points: number
  readonly resolve: (taken: Taken) => void
  readonly reject: (cause: unknown) => void
}

/**
 * One statement at a time for each key: whoever comes meanwhile is counted together with the others in the next one, so
 * that a flood on one key costs the database no more than a trickle. Each is told what it would have been told alone.
 */
function openMerging(take: (key: string, points: number) => Promise<Taken>) {
  const running = new Map<string, Waiting[]>()
  const serve = async (key: string, batch: readonly Waiting[]): Promise<void> => {
    const all = batch.reduce((sum, { points }) => sum + points, 0)
    try {
      const taken = await take(key, all)
      let points = taken.points - all
      for (const one of batch) {
        points += one.points
        one.resolve({ points, wait: taken.wait })
      }
    } catch (cause) {
      for (const one of batch) one.reject(cause)
    }
  }
  const run = async (key: string, first: Waiting): Promise<void> => {
    let batch: readonly Waiting[] = [first]
    while (batch.length > 0) {
      running.set(key, [])
      await serve(key, batch)
      batch = running.get(key) ?? []
    }
    running.delete(key)
  }
  return (key: string, points: number): Promise<Taken> =>
    new Promise((resolve, reject) => {
      const waiting = { points, resolve, reject }
      const next = running.get(key)
      if (next === undefined) void run(key, waiting)
      else next.push(waiting)
    })
}
