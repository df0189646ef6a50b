import {
  formatRevocationLine,
  formatRevocations,
  revocationRoot,
  sortRevocations,
  toHex,
  type RevocationLine,
} from 'countersign/core'

interface List {
  readonly root: Uint8Array
  readonly bytes: Uint8Array
}

/** The revocation lines that hold, and every list of them that a snapshot named. */
export class Revocations {
  readonly #lines: Set<string>
  /** By its root in hex. */
  readonly #kept: Map<string, Uint8Array>
  /** The current one, until a line comes or goes. */
  #list: List | undefined

  constructor(lines: Iterable<string> = [], kept: Iterable<[string, Uint8Array]> = []) {
    this.#lines = new Set(lines)
    this.#kept = new Map(kept)
  }

  fork(): Revocations {
    return new Revocations(this.#lines, this.#kept)
  }

  add(lines: readonly RevocationLine[]): void {
    for (const line of lines) this.#lines.add(formatRevocationLine(line))
    this.#list = undefined
  }

  drop(line: RevocationLine): void {
    this.#lines.delete(formatRevocationLine(line))
    this.#list = undefined
  }

  has(line: RevocationLine): boolean {
    return this.#lines.has(formatRevocationLine(line))
  }

  get count(): number {
    return this.#lines.size
  }

  get root(): Uint8Array {
    return this.#current.root
  }

  get hex(): string {
    return toHex(this.root)
  }

  get bytes(): Uint8Array {
    return this.#current.bytes
  }

  /** Keeps the current list for hosts that ask for it by its root later. */
  keep(): void {
    this.#kept.set(this.hex, this.bytes)
  }

  kept(hex: string): Uint8Array | undefined {
    return this.#kept.get(hex)
  }

  get #current(): List {
    if (this.#list !== undefined) return this.#list
    const lines = sortRevocations(this.#lines)
    return (this.#list = { root: revocationRoot(lines), bytes: formatRevocations(lines) })
  }
}
