import {
  consistencyProof,
  encodeBase64,
  formatVerifierKey,
  inclusionProof,
  leafHash,
  merkleRoot,
  refuse,
  utf8Bytes,
  type Signer,
  type TrustRootBody,
} from 'countersign/core'

/** One log of the registry; positions of its leaves start at `base`. */
export interface Log {
  readonly origin: string
  readonly signer: Signer
  readonly base: number
  readonly leaves: string[]
  readonly hashes: Uint8Array[]
}

/** The leaves of a registry's logs and what is proved of them. What names no origin is of the active log. */
export class Logs {
  /** In order of succession, the active one last. */
  readonly #logs: Log[]

  constructor(logs: readonly Log[]) {
    this.#logs = logs.map((log) => ({ ...log, leaves: [...log.leaves], hashes: [...log.hashes] }))
  }

  fork(): Logs {
    return new Logs(this.#logs)
  }

  get all(): readonly Log[] {
    return this.#logs
  }

  get active(): Log {
    return this.#logs.at(-1) ?? refuse('usage', 'no log')
  }

  /** Of the active log. */
  get size(): number {
    return this.active.leaves.length
  }

  /** Position of the next leaf. */
  get end(): number {
    return this.active.base + this.size
  }

  push(leaf: string): void {
    this.active.leaves.push(leaf)
    this.active.hashes.push(leafHash(utf8Bytes(leaf)))
  }

  /** Cuts off the active log at a size and starts its successor; returns what is frozen. */
  succeed(size: number, origin: string, signer: Signer): Log {
    const old = this.active
    const frozen = { ...old, leaves: old.leaves.slice(0, size), hashes: old.hashes.slice(0, size) }
    this.#logs.splice(-1, 1, frozen, newLog(origin, signer, frozen.base + size))
    return frozen
  }

  /** As the next trust root names them: frozen at their ends, the last one active. */
  trusted(): TrustRootBody['logs'] {
    return this.#logs.map((log) => {
      const vkey = formatVerifierKey(log.origin, 1, log.signer.publicKey)
      if (log === this.active) return { origin: log.origin, vkey, status: 'active' }
      const final = { size: log.leaves.length, root: encodeBase64(merkleRoot(log.hashes)) }
      return { origin: log.origin, vkey, status: 'frozen', final }
    })
  }

  of(origin: string = this.active.origin): Log {
    return (
      this.#logs.find((log) => log.origin === origin) ?? refuse('registry-error', 'no such log', { origin })
    )
  }

  /** The log in which a position lies. */
  at(position: number): Log {
    return this.#logs.findLast((log) => log.base <= position) ?? this.active
  }

  leaf(index: number, origin?: string): string {
    return this.of(origin).leaves[index] ?? refuse('io', 'no such leaf')
  }

  treeRoot(size: number, origin?: string): Uint8Array {
    return merkleRoot(this.of(origin).hashes.slice(0, size))
  }

  inclusion(index: number, size: number = this.size, origin?: string): Uint8Array[] {
    return inclusionProof(index, size, treeReader(this.of(origin).hashes))
  }

  consistency(from: number, to: number = this.size, origin?: string): Uint8Array[] {
    const { leaves, hashes } = this.of(origin)
    if (from > to || to > leaves.length) refuse('registry-error', 'no such tree', { from, to })
    return consistencyProof(from, to, treeReader(hashes))
  }
}

export function newLog(origin: string, signer: Signer, base = 0): Log {
  return { origin, signer, base, leaves: [], hashes: [] }
}

/** Reads the subtree roots that proofs are made of; test/cli/log-world.ts reads its trees by it, too. */
export function treeReader(hashes: readonly Uint8Array[]) {
  return (level: number, index: number): Uint8Array =>
    merkleRoot(hashes.slice(index * 2 ** level, (index + 1) * 2 ** level))
}
