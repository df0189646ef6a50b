import type { FrameId } from '../guard/frames.js'

const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c]
const OPEN = new Set([0x7b, 0x5b])
const CLOSE = new Set([0x7d, 0x5d])
/** Longer ids and member names are somebody's trick. */
const MAX_TOKEN_BYTES = 256

/**
 * Reads of a JSON object that is not kept which id it bears, so that whoever waits for it hears that it will not come.
 * Only the members of the object itself count; everything below them is skipped byte by byte.
 */
export class TopLevelId {
  #depth = 0
  #inString = false
  #escaped = false
  #member: string | undefined
  #token: number[] = []
  #ids: string[] = []
  #hasMethod = false

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.#inString) this.#stringByte(byte)
      else this.#plainByte(byte)
    }
  }

  /** The id, unless there is none, more than one, or one that no frame has. */
  get id(): FrameId | undefined {
    const [text, ...more] = this.#ids
    if (text === undefined || more.length > 0) return undefined
    try {
      const id: unknown = JSON.parse(text)
      return typeof id === 'string' || (typeof id === 'number' && Number.isFinite(id)) ? id : undefined
    } catch {
      return undefined
    }
  }

  /** It asks something, or tells something: no answer. */
  get hasMethod(): boolean {
    return this.#hasMethod
  }

  #stringByte(byte: number): void {
    this.#note(byte)
    if (this.#escaped) this.#escaped = false
    else if (byte === BACKSLASH) this.#escaped = true
    else if (byte === QUOTE) this.#inString = false
  }

  #plainByte(byte: number): void {
    if (byte === QUOTE) this.#inString = true
    if (OPEN.has(byte)) {
      // A value that is no token: whatever it holds, it is no id.
      this.#note(byte)
      this.#depth++
    } else if (CLOSE.has(byte)) {
      if (this.#depth === 1) this.#endMember()
      this.#depth--
    } else if (this.#depth === 1 && byte === COLON) this.#endName()
    else if (this.#depth === 1 && byte === COMMA) this.#endMember()
    else this.#note(byte)
  }

  #note(byte: number): void {
    if (this.#depth === 1 && this.#token.length <= MAX_TOKEN_BYTES) this.#token.push(byte)
  }

  #endName(): void {
    this.#member = this.#takeToken()
    if (this.#member === '"method"') this.#hasMethod = true
  }

  #endMember(): void {
    const value = this.#takeToken()
    if (this.#member === '"id"' && this.#ids.length < 2) this.#ids.push(value)
    this.#member = undefined
  }

  #takeToken(): string {
    const text = Buffer.from(this.#token).toString('utf8').trim()
    this.#token = []
    return text
  }
}
