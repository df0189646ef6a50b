/**
 * The single state row: the active log. Sizes, tiles and entries of the port are those of the active log; everything
 * derived (keys, manifests, decisions, audit) is kept in positions: `base` plus the index within the log.
 `note` is the newest committed checkpoint, `publishedNote` the newest one with its quorum.
 */
export interface LogState {
  readonly origin: string
  readonly identity: string
  /** Position of the log's entry 0: the sizes of all logs before it. */
  readonly base: number
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
  readonly publishedSize: number
  readonly publishedNote: string
}

/** A predecessor of the active log, ended at exactly this tree. Numbers count from 1, in the order of succession. */
export interface FrozenLog {
  readonly number: number
  readonly origin: string
  readonly base: number
  readonly size: number
  readonly root: Uint8Array
  /** The last checkpoint its key signed for us. */
  readonly note: string
}

export interface TileRow {
  readonly level: number
  readonly n: number
  readonly data: Uint8Array
}

export interface NewBatch {
  /** What the state row must still say; anything else is another writer, and the batch fails with `lost-race`. */
  readonly expected: { readonly size: number; readonly note: string }
  readonly entries: readonly {
    readonly index: number
    readonly data: string
    readonly leafHash: Uint8Array
  }[]
  readonly tiles: readonly TileRow[]
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
}

/** Signed trust root notes by version; 1 is the first. */
export interface RootNoteRow {
  readonly version: number
  readonly note: string
}
