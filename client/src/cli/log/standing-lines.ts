import { compareBytes, EMPTY_ROOT, encodeBase64, leafHash, nodeHash, utf8Bytes } from '../../core/index.js'

/**
 * The revocation lines that stand, sorted bytewise, and the rows of the Merkle tree over them. Every batch of a log names
 * its root, and few batches change it: what lies before the first change is not hashed again.
 */
export class StandingLines implements Iterable<string> {
  readonly #known = new Set<string>()
  readonly #sorted: string[] = []
  /** Leaf hashes, then each row over the one below. */
  readonly #rows: Uint8Array[][] = [[]]
  /** The first leaf that the rows above do not know. */
  #changed = 0
  #root: string | undefined

  constructor(lines: Iterable<string> = []) {
    for (const line of lines) this.add(line)
  }

  get size(): number {
    return this.#known.size
  }

  has(line: string): boolean {
    return this.#known.has(line)
  }

  add(line: string): void {
    if (this.#known.has(line)) return
    this.#known.add(line)
    const at = this.#placeOf(line)
    this.#sorted.splice(at, 0, line)
    this.#rows[0]?.splice(at, 0, leafHash(utf8Bytes(line)))
    this.#change(at)
  }

  /** @returns whether it stood */
  delete(line: string): boolean {
    if (!this.#known.delete(line)) return false
    const at = this.#placeOf(line)
    this.#sorted.splice(at, 1)
    this.#rows[0]?.splice(at, 1)
    this.#change(at)
    return true
  }

  /** Sorted bytewise. */
  [Symbol.iterator](): IterableIterator<string> {
    return this.#sorted.values()
  }

  /** base64 of the RFC 6962 root. */
  root(): string {
    return (this.#root ??= encodeBase64(this.#hash()))
  }

  #change(at: number): void {
    this.#changed = Math.min(this.#changed, at)
    this.#root = undefined
  }

  #hash(): Uint8Array {
    let [row = []] = this.#rows
    let kept = this.#changed
    let level = 1
    for (; row.length > 1; level++) {
      kept = Math.floor(kept / 2)
      const above = (this.#rows[level] ??= [])
      above.length = Math.min(above.length, kept)
      for (let i = above.length; i * 2 < row.length; i++) above.push(pair(row, i * 2))
      row = above
    }
    this.#rows.length = level
    this.#changed = this.#sorted.length
    return row[0] ?? EMPTY_ROOT
  }

  /** Where a line is, or would be. */
  #placeOf(line: string): number {
    const wanted = utf8Bytes(line)
    let [low, high] = [0, this.#sorted.length]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (compareBytes(utf8Bytes(this.#sorted[middle] ?? ''), wanted) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A lone last node is carried up as it is. */
function pair(row: readonly Uint8Array[], at: number): Uint8Array {
  const [left = EMPTY_ROOT, right] = [row[at], row[at + 1]]
  return right === undefined ? left : nodeHash(left, right)
}
