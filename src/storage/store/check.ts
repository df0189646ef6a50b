import type { Digest } from 'countersign/core'
import type { KeyRow } from './directory.js'

/** A checkpoint as it was signed, for exactly this size. */
export interface CheckpointRow {
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
}

/** Rows that an entry of the log left in other tables; `position` is that entry's. */
export type DerivedRow =
  | { readonly table: 'namespace'; readonly namespace: string; readonly position: number }
  | ({ readonly table: 'key-added' } & KeyPlace)
  | ({ readonly table: 'key-ended' } & KeyPlace)
  | {
      readonly table: 'publication'
      readonly manifest: Digest
      readonly server: string
      readonly version: string
      readonly kid: string
      readonly envelope: Digest
      readonly position: number
    }
  | { readonly table: 'approval'; readonly manifest: Digest; readonly position: number }
  | { readonly table: 'target'; readonly target: string; readonly position: number }
  | { readonly table: 'revocation'; readonly line: string; readonly position: number }
  /** `root` in 64 hex digits; the position is that of the snapshot. */
  | { readonly table: 'list'; readonly root: string; readonly position: number }

interface KeyPlace {
  readonly namespace: string
  readonly kid: string
  readonly role: KeyRow['role']
  readonly position: number
}

export type DerivedTable = DerivedRow['table']
export type DerivedOf<T extends DerivedTable> = Extract<DerivedRow, { readonly table: T }>

/**
 * What a check of the whole log reads and nobody else needs. `log` is the number of a frozen log; absent for the active
 * one.
 */
export interface CheckReads {
  /** The leaf hashes that entries `from <= index < to` are found by, at most 1024. */
  readLeafHashes(from: number, to: number, log?: number): Promise<Uint8Array[]>
  /** By size, those above this one. */
  readCheckpoints(after: number, limit: number, log?: number): Promise<CheckpointRow[]>
  /** In an order of its own; `after` is the last row seen. */
  readDerived<T extends DerivedTable>(table: T, limit: number, after?: DerivedOf<T>): Promise<DerivedOf<T>[]>
}
