import { CountersignError, isJsonObject, parseStrictJson, refuse, type JsonObject } from '../core/index.js'

/** One stdio line; the SDKs' own read buffers stop at the same size. */
export const MAX_LINE_BYTES = 10 * 1024 * 1024

const LF = 0x0a

/**
 * Splits a byte stream into lines without their LF.
 * A line that grows past the cap ends the capture: what sends 10 MB without a newline is no MCP server.
 */
export class LineSplitter {
  readonly #onLine: (line: Uint8Array) => void
  #parts: Uint8Array[] = []
  #length = 0

  constructor(onLine: (line: Uint8Array) => void) {
    this.#onLine = onLine
  }

  /** @throws CountersignError `capture-failed` when a line is longer than 10 MB. */
  push(chunk: Uint8Array): void {
    let start = 0
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      this.#keep(chunk.subarray(start, end))
      this.#flush()
      start = end + 1
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
  }

  #keep(part: Uint8Array): void {
    this.#length += part.length
    if (this.#length > MAX_LINE_BYTES) {
      refuse('capture-failed', 'the server sent a line of more than 10 MB', { limit: MAX_LINE_BYTES })
    }
    this.#parts.push(part)
  }

  #flush(): void {
    const line = this.#parts.length === 1 ? (this.#parts[0] as Uint8Array) : Buffer.concat(this.#parts)
    this.#parts = []
    this.#length = 0
    if (line.length > 0) this.#onLine(line)
  }
}

/**
 * Reads one received frame with the strict parser: the bytes that arrived decide, because two parsers may disagree
 * about a duplicate member or a number that no double holds.
 * @returns the frame, or undefined for a line that is not a JSON-RPC message (servers print banners to stdout).
 * @throws CountersignError `capture-failed` for an answer that is JSON with more than one meaning.
 */
export function readFrame(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value = parseStrictJson(bytes, { maxBytes: MAX_LINE_BYTES })
    return isJsonObject(value) && value['jsonrpc'] === '2.0' ? value : undefined
  } catch (error) {
    if (!looksLikeAnswer(bytes)) return undefined
    refuseAmbiguous(error)
  }
}

/** Only picks the error message; nothing that this lenient parse returns is used. */
function looksLikeAnswer(bytes: Uint8Array): boolean {
  try {
    const value: unknown = JSON.parse(
      Buffer.from(bytes)
        .toString('utf8')
        .replace(/^\uFEFF/, ''),
    )
    return typeof value === 'object' && value !== null && ('result' in value || 'error' in value)
  } catch {
    return false
  }
}

function refuseAmbiguous(error: unknown): never {
  const reason = error instanceof CountersignError ? error.code : 'json-malformed'
  const said = error instanceof Error ? error.message : String(error)
  throw new CountersignError(
    'capture-failed',
    `the server's answer has no single meaning (${reason}): ${said}`,
    { reason },
    { cause: error },
  )
}
