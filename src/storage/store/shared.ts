import type { DirectoryReads } from './directory.js'
import type { LogReads } from './log.js'

/** What the head of the log is read from. */
export type HeadReads = Pick<
  LogReads,
  'readLogState' | 'readTile' | 'readEntries' | 'readCheckpoint' | 'readRootNotes'
> &
  Pick<DirectoryReads, 'readRevocations' | 'readRevocationChanges'>

/** How often something may be done. */
export interface CounterRate {
  readonly points: number
  readonly seconds: number
}

export interface CounterState {
  /** Whether the points were there. */
  readonly isAllowed: boolean
  readonly remaining: number
  /** Milliseconds until the window ends. */
  readonly resetMs: number
}

/** Counts by key, for all processes together. */
export interface Counter {
  /** Takes points, one unless said otherwise, whether they are there or not. */
  take(key: string, points?: number): Promise<CounterState>
  giveBack(key: string, points?: number): Promise<void>
  /** Whether anything was taken in the window that runs. */
  has(key: string): Promise<boolean>
  forget(key: string): Promise<void>
}

/** What several processes over one database need of it. On an engine of one process most of it is nothing. */
export interface SharedStore {
  /** Whether other processes may have this database open. */
  readonly isShared: boolean
  /**
   * Calls when the log may have moved, by whichever process. Hints: they can be late and they can be lost. What it
   * returns ends it.
   */
  watch(onMoved: () => void): () => void
  /** Everything that `work` reads is of one committed state. `work` reads through its argument alone. */
  readConsistently<T>(work: (reads: HeadReads) => Promise<T>): Promise<T>
  /**
   * As readLogState, after every batch that was under way in whichever process has ended: what it says of a batch whose
   * COMMIT failed holds for good.
   */
  readSettledLogState(): ReturnType<LogReads['readLogState']>
  /** Keeps the value under the name unless there is one; the one that is kept. */
  keepFact(name: string, value: string): Promise<string>
  readFact(name: string): Promise<string | undefined>
  /** A counter of this name. It forgets when its window ends; on an engine of one process also at a restart. */
  counter(name: string, rate: CounterRate): Counter
}
