import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  consistencyProof,
  cosigner,
  encodeBase64,
  equalBytes,
  formatCheckpointBody,
  formatNote,
  formatVerifierKey,
  leafHash,
  noteSigner,
  treeRoot,
  utf8Bytes,
  type Checkpoint,
  type HashReader,
  type PinnedLog,
} from 'countersign/core'
import { makeWitness, type Witness, type WitnessEvent } from '../../client/src/witness/witness.js'
import { WitnessRefusal } from '../../client/src/witness/refusal.js'
import type { KnownCheckpoint, WitnessStore } from '../../client/src/witness/store.js'
import { readerOver, testSigner } from '../support/tlog.js'

/** A folder of a test's own. */
export interface TempFolder {
  path(name: string): string
  remove(): void
}

export function tempFolder(): TempFolder {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-witness-'))
  return {
    path: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** A log that signs whatever a test wants; `history` makes another tree under the same key. */
export interface ScriptedLog extends PinnedLog {
  readonly vkey: string
  readonly read: HashReader
  checkpoint(size: number): Checkpoint
  /** A signed note; `lines` are put behind the log's own. */
  note(checkpoint: Checkpoint | number, lines?: readonly string[]): string
  /** A request of add-checkpoint with the proof it needs. */
  request(old: number, size: number): Uint8Array
}

export function scriptedLog(origin: string, options: { seed?: number; history?: string } = {}): ScriptedLog {
  const { seed = 1, history = 'one' } = options
  const signer = noteSigner(origin, testSigner(seed))
  const read = readerOver(Array.from({ length: 600 }, (_, i) => leafHash(utf8Bytes(`${history} ${i}`))))
  const checkpoint = (size: number): Checkpoint => ({ origin, size, root: treeRoot(size, read) })
  const note = (which: Checkpoint | number, lines: readonly string[] = []): string => {
    const body = formatCheckpointBody(typeof which === 'number' ? checkpoint(which) : which)
    return formatNote(body, [signer.sign(body), ...lines])
  }
  return {
    origin,
    key: signer.key,
    vkey: formatVerifierKey(origin, 1, signer.key.publicKey),
    read,
    checkpoint,
    note,
    request: (old, size) => requestOf(old, old <= size ? consistencyProof(old, size, read) : [], note(size)),
  }
}

export function requestOf(
  old: number | string,
  proof: readonly (Uint8Array | string)[],
  note: string,
): Uint8Array {
  const hashes = proof.map((hash) => `${typeof hash === 'string' ? hash : encodeBase64(hash)}\n`)
  return utf8Bytes(`old ${old}\n${hashes.join('')}\n${note}`)
}

/** Keeps the promises of the port in memory. */
export function memoryStore(): WitnessStore & { readonly rows: ReadonlyMap<string, KnownCheckpoint> } {
  const rows = new Map<string, KnownCheckpoint>()
  return {
    rows,
    read: (origin) => Promise.resolve(rows.get(origin)),
    advance: (origin, previous, next) => {
      const now = rows.get(origin)
      const isSame =
        now === undefined || previous === undefined
          ? now === previous
          : now.size === previous.size && equalBytes(now.root, previous.root)
      if (isSame) rows.set(origin, next)
      return Promise.resolve(isSame)
    },
    close: () => Promise.resolve(),
  }
}

export const WITNESS_NAME = 'witness.example.com/w1'
export const WITNESS_SEED = 200

export interface TestWitness extends Witness {
  readonly vkey: string
  readonly events: readonly WitnessEvent[]
}

/** The conductor over a store, without a door; time is 1 700 000 000 and goes on by a second a signature. */
export function testWitness(logs: readonly PinnedLog[], store: WitnessStore = memoryStore()): TestWitness {
  const own = cosigner(WITNESS_NAME, testSigner(WITNESS_SEED))
  const events: WitnessEvent[] = []
  let time = 1_700_000_000
  const witness = makeWitness({
    cosigner: own,
    logs,
    store,
    now: () => time++,
    report: (event) => void events.push(event),
  })
  return { ...witness, events, vkey: formatVerifierKey(WITNESS_NAME, 4, own.key.publicKey) }
}

/** `cosigned`, or the code of the refusal; anything else is a fault of the code under test. */
export async function outcome(answer: Promise<string>): Promise<string> {
  try {
    await answer
    return 'cosigned'
  } catch (error) {
    if (error instanceof WitnessRefusal) return error.code
    throw error
  }
}
