/** The newest checkpoint of one log that this witness cosigned. */
export interface KnownCheckpoint {
  readonly size: number
  readonly root: Uint8Array
  /** The note with the log's own line and the witness's: what it hands out. No line of anybody else. */
  readonly note: string
}

/** What a witness must never forget. */
export interface WitnessStore {
  /** Undefined for a log that was never cosigned. */
  read(origin: string): Promise<KnownCheckpoint | undefined>
  /**
   * Puts `next` in the place of `previous`, on disk before it resolves. False, and nothing is changed, when
   * what is kept has another size or root than `previous`: somebody was faster. Rejects when it is not known
   * whether `next` was kept; nothing may be signed after that.
   */
  advance(origin: string, previous: KnownCheckpoint | undefined, next: KnownCheckpoint): Promise<boolean>
  close(): Promise<void>
}
