/** Bytes that come in parts, of whatever size: a peer that drips single bytes costs no more than what it says. */
export class ByteBuffer {
  #bytes = Buffer.alloc(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  add(part: Uint8Array): void {
    const needed = this.#length + part.length
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    this.#bytes.set(part, this.#length)
    this.#length = needed
  }

  /** What came so far; the buffer is empty afterwards. */
  take(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#length)
    this.#bytes = Buffer.alloc(0)
    this.#length = 0
    return bytes
  }
}
