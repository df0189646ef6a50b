/** The single state row. `note` is the newest committed checkpoint, `publishedNote` the newest one with its quorum. */
export interface LogState {
  readonly origin: string
  readonly identity: string
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
  readonly publishedSize: number
  readonly publishedNote: string
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
