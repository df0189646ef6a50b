import { answer, type Connections, type Step } from './connection.js'
import { StoreError } from '../errors.js'

/** What each room of the store works with. */
export interface Desk extends Pick<Connections, 'writer' | 'reader'>, Turnstile {
  /** POSIX milliseconds. */
  readonly now: () => number
  readonly seconds: () => number
}

export interface Turnstile {
  /** A read of what is committed. */
  readonly read: Step
  /** One write, one transaction. */
  readonly write: Step
  /** An asynchronous owner of the writing connection: nobody else writes until it has ended. */
  readonly take: <T>(work: () => Promise<T>) => Promise<T>
  readonly close: () => Promise<void>
}

export function openDesk(connections: Connections, now: () => number): Desk {
  const { writer, reader } = connections
  return { writer, reader, now, seconds: () => Math.floor(now() / 1000), ...turnstile(connections) }
}

function turnstile(connections: Connections): Turnstile {
  const { writer } = connections
  let last: Promise<unknown> = Promise.resolve()
  let closed = false
  const closedError = (): StoreError => new StoreError('closed', 'the store is closed')
  const take = <T>(work: () => Promise<T>): Promise<T> => {
    if (closed) return Promise.reject(closedError())
    const mine = last.then(work)
    last = mine.catch(() => undefined)
    return mine
  }
  const close = async (): Promise<void> => {
    if (closed) return
    closed = true
    await last
    connections.close()
  }
  const read: Step = (run) => (closed ? Promise.reject(closedError()) : answer(run))
  const write: Step = (run) => take(() => answer(() => writer.transaction(run).immediate()))
  return { read, write, take, close }
}

/** A row without the members that are NULL: the port leaves them out. */
export function present<T extends object>(row: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(row).filter(([, value]) => value !== null && value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> }
}
