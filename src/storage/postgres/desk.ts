import { StoreError } from '../errors.js'

/** What a statement is given: numbers for bigint, bytes for bytea, lists for arrays (`unnest($1::bigint[])`). */
export type Value = Scalar | readonly Scalar[]
type Scalar = string | number | Uint8Array | null

/**
 * Where statements run: autonomously on any connection of the pool, or one after another in one transaction. Every
 * rejection is a StoreError. Statements are unnamed and parameterised (`$1`), so that a transaction pooler can stand
 * between; bigint comes back as a number, bytea as plain bytes.
 */
export interface Queries {
  all<R extends object>(sql: string, values?: readonly Value[]): Promise<R[]>
  /** The first row. */
  get<R extends object>(sql: string, values?: readonly Value[]): Promise<R | undefined>
  /** How many rows it changed. */
  run(sql: string, values?: readonly Value[]): Promise<number>
}

/** What each room of the store works with. */
export interface Desk {
  /** One statement, one transaction: reads of what is committed, and writes of a single statement. */
  readonly db: Queries
  /** Several statements, one transaction (READ COMMITTED): all of it or nothing. */
  readonly transaction: <T>(work: (db: Queries) => Promise<T>) => Promise<T>
  /** POSIX milliseconds. */
  readonly now: () => number
  readonly seconds: () => number
}

/** A row without the members that are NULL: the port leaves them out. */
export function present<T extends object>(row: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(row).filter(([, value]) => value !== null && value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> }
}

/** The driver gives Buffers; callers get plain bytes. */
export function plainBytes(blob: Uint8Array): Uint8Array {
  return new Uint8Array(blob.buffer, blob.byteOffset, blob.byteLength)
}

/** Most entries of one read. */
export const MAX_ENTRIES = 1024

export function assertReadable(from: number, to: number): void {
  if (to - from > MAX_ENTRIES) throw new StoreError('limit', `at most ${MAX_ENTRIES} entries in one read`)
}
