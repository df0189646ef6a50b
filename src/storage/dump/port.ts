import type { LogState } from '../store.js'
import type { Row, Table } from './tables.js'

/** A database that is read as a whole: everything of one committed state, whoever writes meanwhile. */
export interface DumpSource {
  readonly engine: 'sqlite' | 'postgres'
  /** The last migration it has. */
  readonly step: number
  state(): Promise<DumpState | undefined>
  /** Every row, by the table's key. One table at a time. */
  rows(table: Table): AsyncIterable<Row>
  close(): Promise<void>
}

/** Whose log it is, and how far it went. */
export type DumpState = Pick<LogState, 'identity' | 'origin' | 'base' | 'size' | 'publishedSize'>

/** A database that is filled as a whole, in one transaction that nobody else sees before `commit`. */
export interface DumpTarget {
  readonly step: number
  /** Whether no table has a row. */
  isEmpty(): Promise<boolean>
  /** What is kept under this name among the facts. */
  fact(name: string): Promise<string | undefined>
  setFact(name: string, value: string): Promise<void>
  /** So that processes take what they have for what all have. */
  forgetFacts(names: readonly string[]): Promise<void>
  /** Removes every row of every table. */
  wipe(): Promise<void>
  insert(table: Table, rows: readonly Row[]): Promise<void>
  /** After the last row: numbers that the database gives go on after those that are there. */
  settle(): Promise<void>
  commit(): Promise<void>
  /** What was not committed did not happen. */
  close(): Promise<void>
}
