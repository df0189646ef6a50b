import { Socket } from 'node:net'
import pg from 'pg'
import { connectionOptions } from './connection.js'
import type { Queries } from './desk.js'
import { CHANNEL } from './log.js'
import type { Pool } from './pool.js'
import { StoreError } from '../errors.js'

export interface Watch {
  /** What it returns ends it. */
  add(onMoved: () => void): () => void
  close(): Promise<void>
}

const POLL_MS = 500
const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 5000

/**
 * Two ears, each enough: a connection that listens, which hears at once and, behind a transaction pooler, nothing at
 * all; and a look at the state row every so often. Both are there as long as somebody watches.
 */
export function openWatch(pool: Pool, db: Queries): Watch {
  const watchers = new Set<() => void>()
  const call = (): void => {
    for (const onMoved of watchers) onMoved()
  }
  let ears: readonly Ear[] | undefined
  let isClosed = false
  const rest = async (): Promise<void> => {
    const closing = ears ?? []
    ears = undefined
    watchers.clear()
    await Promise.all(closing.map((ear) => ear.close()))
  }
  return {
    add: (onMoved) => {
      if (isClosed) throw new StoreError('closed', 'the store is closed')
      // Its own function: one that is given twice is called twice, and each ending ends one.
      const watcher = (): void => onMoved()
      watchers.add(watcher)
      ears ??= [listen(pool, call), poll(db, call)]
      return () => {
        if (watchers.delete(watcher) && watchers.size === 0) void rest()
      }
    },
    close: async () => {
      isClosed = true
      await rest()
    },
  }
}

interface Ear {
  close(): Promise<void>
}

/** A connection of its own that listens, made again whenever it ends. */
function listen(pool: Pool, onMoved: () => void): Ear {
  let isClosed = false
  let socket: Socket | undefined
  let retry: NodeJS.Timeout | undefined
  let wait = FIRST_RETRY_MS
  const again = (): void => {
    if (isClosed) return
    retry = setTimeout(() => void start(), wait)
    retry.unref()
    wait = Math.min(2 * wait, LONGEST_RETRY_MS)
  }
  const start = async (): Promise<void> => {
    const stream = (socket = new Socket())
    const mine = new pg.Client({ ...connectionOptions(pool.settings), stream: () => stream })
    mine.on('error', ignore)
    mine.on('notification', onMoved)
    mine.once('end', again)
    try {
      await mine.connect()
      await mine.query(`LISTEN ${CHANNEL}`)
      wait = FIRST_RETRY_MS
      // Whatever was said while nobody listened.
      onMoved()
    } catch {
      // Its end, which follows, has it made again.
      await mine.end().catch(ignore)
    }
  }
  void start()
  return {
    close: () => {
      isClosed = true
      clearTimeout(retry)
      // Without a goodbye: a server that has fallen silent would be waited for.
      socket?.destroy()
      return Promise.resolve()
    },
  }
}

function ignore(): void {
  return undefined
}

/** Calls when what the state row says of the log is not what it said before. */
function poll(db: Queries, onMoved: () => void): Ear {
  let isClosed = false
  let known: string | undefined
  let under: Promise<void> = Promise.resolve()
  const look = async (): Promise<void> => {
    const said = await readSaid(db)
    if (said === undefined || isClosed) return
    const isMoved = known !== undefined && said !== known
    known = said
    if (isMoved) onMoved()
  }
  let timer: NodeJS.Timeout | undefined
  const turn = (): void => {
    under = look().then(() => {
      if (!isClosed) timer = setTimeout(turn, POLL_MS).unref()
    })
  }
  turn()
  return {
    close: async () => {
      isClosed = true
      clearTimeout(timer)
      await under
    },
  }
}

/** Undefined while the database is away: there will be another look. */
async function readSaid(db: Queries): Promise<string | undefined> {
  try {
    const state = await db.get(
      'SELECT base, size, note, published_size, published_note FROM log_state WHERE id = 1',
    )
    return JSON.stringify(state ?? null)
  } catch (cause) {
    if (cause instanceof StoreError) return undefined
    throw cause
  }
}
