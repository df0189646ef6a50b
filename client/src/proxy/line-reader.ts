import { ByteBuffer } from './byte-buffer.js'
import { TopLevelId } from './top-level-id.js'

/** One message; the SDKs' own read buffers stop at the same size. */
export const MAX_LINE_BYTES = 10 * 1024 * 1024
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
  readonly #kept = new ByteBuffer()
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
    if (this.#kept.length === 0 && this.#skipping === undefined && rest.length <= MAX_LINE_BYTES) {
      if (rest.length > 0) this.#handlers.onLine(rest)
      return
    }
    this.#keep(rest)
    const [skipped, line] = [this.#skipping, this.#kept.take()]
    this.#skipping = undefined
    if (skipped !== undefined) this.#handlers.onOversized(skipped)
    else if (line.length > 0) this.#handlers.onLine(line)
  }

  #keep(part: Buffer): void {
    if (this.#skipping !== undefined) {
      this.#skipping.push(part)
      return
    }
    this.#kept.add(part)
    if (this.#kept.length > MAX_LINE_BYTES) this.#skip()
  }

  #skip(): void {
    this.#skipping = new TopLevelId()
    this.#skipping.push(this.#kept.take())
  }
}
