import type { BatchTx } from './batch.js'
import type { FrozenLog, LogState, RootNoteRow } from './log-rows.js'

export interface LogReads {
  readLogState(): Promise<LogState | undefined>
  readTile(level: number, n: number): Promise<Uint8Array | undefined>
  /** Entries `from <= index < to`, at most 1024. */
  readEntries(from: number, to: number): Promise<string[]>
  /** The note that was signed for exactly this size, for evidence and old bundles. */
  readCheckpoint(size: number): Promise<string | undefined>
  /** Every trust root note, by version. */
  readRootNotes(): Promise<RootNoteRow[]>
}

export interface LogStore extends LogReads {
  /** Creates the state row of an empty log; `already-initialised` when there is one. */
  initLog(state: LogState): Promise<void>
  /**
   * One batch, one transaction. `work` reads and writes through `tx`, and calls `tx.append` at most once, as its
   * last write of the log; when `work` rejects, nothing of it happened. Batches run one after another, in whichever
   * process; `busy` when another one did not end in time, and nothing of this one has happened.
   * `commit-unknown` means that COMMIT itself failed: only reading the state again tells what happened.
   * `work` writes through `tx` alone: a write method of the store called (and awaited) inside it waits for ever.
   */
  commitBatch<T>(work: (tx: BatchTx) => Promise<T>): Promise<T>
  /**
   * Moves the published pointer forward, or re-signs at the same size; false when it would go backwards, and for a note
   * whose first line is not the origin of the active log: one that was ended is not published any more. `over` is what
   * the caller takes for published: at the same size nothing else is replaced, for its cosignatures may be younger.
   */
  publishCheckpoint(size: number, note: string, over?: string): Promise<boolean>
  /** The entry at a position, in whichever log of the identity it stands. */
  readLeaf(position: number): Promise<string | undefined>
  /** In the order of succession; empty while the first log is active. */
  readFrozenLogs(): Promise<FrozenLog[]>
  /** `log` is the frozen log's number. */
  readFrozenTile(log: number, level: number, n: number): Promise<Uint8Array | undefined>
  /** Entries `from <= index < to` of a frozen log, at most 1024. */
  readFrozenEntries(log: number, from: number, to: number): Promise<string[]>
  /** Latest position of an event about a target: `namespace:NS`, `manifest:DIGEST`, `server:NAME`, `tool:DIGEST`. */
  latestAbout(target: string): Promise<number | undefined>
}
