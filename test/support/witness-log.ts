import {
  consistencyProof,
  formatCheckpointBody,
  formatNote,
  formatVerifierKey,
  leafHash,
  merkleRoot,
  noteSigner,
  utf8Bytes,
  type PinnedLog,
} from 'countersign/core'
import type { CommittedTree } from '../../src/log/witness/witnesses.js'
import { readerOver, testSigner } from './tlog.js'

/** A log of any size whose entries are known: what a registry would have asked its witnesses to cosign. */
export interface PlainLog {
  readonly pinned: PinnedLog
  readonly vkey: string
  tree(size: number): CommittedTree
  readProof(from: number, to: number): Promise<Uint8Array[]>
}

const ORIGIN = 'registry.example/log'
const LONGEST = 64

/** Logs of one key differ from entry `fork` on when their `salt` differs. */
export function plainLog(salt = '', fork = 0): PlainLog {
  const signer = testSigner(7)
  const log = noteSigner(ORIGIN, signer)
  const leaves = Array.from({ length: LONGEST }, (_, i) =>
    leafHash(utf8Bytes(`${i < fork ? '' : salt} entry ${i}`)),
  )
  return {
    pinned: { origin: ORIGIN, key: log.key },
    vkey: formatVerifierKey(ORIGIN, 1, signer.publicKey),
    tree: (size) => {
      const root = merkleRoot(leaves.slice(0, size))
      const body = formatCheckpointBody({ origin: ORIGIN, size, root })
      return { size, root, note: formatNote(body, [log.sign(body)]) }
    },
    readProof: async (from, to) => consistencyProof(from, to, readerOver(leaves)),
  }
}
