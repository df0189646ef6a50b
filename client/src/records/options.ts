import type { HostEvent } from '../review/events.js'
import type { GuardListener } from '../guard/index.js'

export interface RecordsOptions {
  /** A path; `-` for stderr; `fd:N` for a file descriptor that whoever started this process opened. */
  readonly file: string
  /** Of one file, before the next is begun. Default 16 MiB. */
  readonly maxBytes?: number
  /** Files that are kept beside the newest. Default 8. */
  readonly keep?: number
  /** What of arguments is written: shapes (default), or values as they are. */
  readonly redact?: 'values' | 'nothing'
  /** Records that may wait for the disk. Default 10000. */
  readonly maxWaiting?: number
  /** Bytes that may wait for the disk. Default 8 MiB. */
  readonly maxWaitingBytes?: number
  /** POSIX milliseconds; `Date.now` when absent. */
  readonly now?: () => number
  readonly onProblem?: (problem: RecordsProblem) => void
}

/** Told once when it begins, and once when it is over. */
export type RecordsProblem =
  /** Nothing can be written; `code` is that of the system, such as `ENOSPC`. What comes waits, as far as there is room. */
  | { readonly type: 'failing'; readonly code: string }
  /** No room left to wait in: records are lost from now on, and counted. */
  | { readonly type: 'dropping' }
  | { readonly type: 'recovered'; readonly dropped: number }

/** Who a connection is between. */
export interface Connection {
  /** The configured launch or URL, as text. */
  readonly slot: string
  /** Names the connection; random when absent. */
  readonly session?: string
  /** As configured; else what `_meta` of a call says. */
  readonly agent?: string
  readonly conversation?: string
}

/** Writes down what guards and hosts tell. Nothing here waits for a disk, and nothing here throws. */
export interface Records {
  /** A listener for the guard events of one connection. */
  readonly connection: (about: Connection) => GuardListener
  /** A listener for the events of a host, which may serve several connections. */
  readonly onHostEvent: (event: HostEvent) => void
  /**
   * Writes what waits, for so many milliseconds at most (default 2000).
   * @returns how many records were lost, over all
   */
  readonly close: (withinMs?: number) => Promise<number>
}
