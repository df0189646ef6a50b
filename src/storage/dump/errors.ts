export type DumpErrorCode =
  /** It is no export, or not one that this program writes. */
  | 'export-malformed'
  /** It ends before its end: a copy that was cut, a disk that was full. */
  | 'export-cut'
  /** What it holds is not what was written into it. */
  | 'export-damaged'
  /** Written by another version than the one that reads, or a database that waits for `migrate`. */
  | 'export-version'
  /** The file is there or cannot be written, or the database holds what no export can. */
  | 'export-unwritable'
  /** Only an empty database takes an import. */
  | 'database-not-empty'
  /** There is nothing in it. */
  | 'database-empty'

/** Why an export was not written or not taken; the message is for the operator. */
export class DumpError extends Error {
  override readonly name = 'DumpError'
  readonly code: DumpErrorCode

  constructor(code: DumpErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
