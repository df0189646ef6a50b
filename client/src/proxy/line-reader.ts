import { TopLevelId } from './top-level-id.js'

/** One message; the SDKs' own read buffers stop at the same size. */
export const MAX_LINE_BYTES = 10 * 1024 * 1024
/** Parts of one line that wait to be joined: a peer that drips single bytes costs no more than its line. */
const MAX_PARTS = 1024
const LF = 0x0a

export interface LineHandlers {
  /** A whole line without its LF; empty ones are left out. */
  readonly onLine: (line: Buffer) => void
  /** A line beyond the cap is over; of it nothing was kept but the id it bears. */
  readonly onOversized: (id: TopLevelId) => void
}

/** Splits a byte stream into lines. What is larger than the cap is skipped to its end, and the next line counts again. */
export class LineReader {
  readonly #handlers: LineHandlers
  #parts: Buffer[] = []
  #length = 0
  #skipping: TopLevelId | undefined

  constructor(handlers: LineHandlers) {
    this.#handlers = handlers
  }

  push(chunk: Buffer): void {
    let start = 0
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      this.#endLine(chunk.subarray(start, end))
      start = end + 1
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
  }

  #endLine(rest: Buffer): void {
    // Nearly every line comes whole.
    if (this.#length === 0 && this.#skipping === undefined && rest.length <= MAX_LINE_BYTES) {
      if (rest.length > 0) this.#handlers.onLine(rest)
      return
    }
    this.#keep(rest)
    const [skipped, line] = [this.#skipping, Buffer.concat(this.#parts)]
    this.#skipping = undefined
    this.#drop()
    if (skipped !== undefined) this.#handlers.onOversized(skipped)
    else if (line.length > 0) this.#handlers.onLine(line)
  }

  #keep(part: Buffer): void {
    if (this.#skipping !== undefined) {
      this.#skipping.push(part)
      return
    }
    this.#parts.push(part)
    this.#length += part.length
    if (this.#length > MAX_LINE_BYTES) this.#skip()
    else if (this.#parts.length > MAX_PARTS) this.#parts = [Buffer.concat(this.#parts)]
  }

  #skip(): void {
    this.#skipping = new TopLevelId()
    for (const part of this.#parts) this.#skipping.push(part)
    this.#drop()
  }

  #drop(): void {
    this.#parts = []
    this.#length = 0
  }
}
