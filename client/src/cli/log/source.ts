import {
  CountersignError,
  decodeBase64,
  formatTilePath,
  isJsonObject,
  MAX_BUNDLE_BYTES,
  MAX_NOTE_BYTES,
  MAX_PROOF_HASHES,
  MAX_REVOCATIONS_BYTES,
  MAX_ROOT_BYTES,
  MAX_STATUS_BYTES,
  parseEntryBundle,
  parseHashTile,
  parseStrictJson,
  parseText,
  refuse,
  TILE_WIDTH,
  type Digest,
} from '../../core/index.js'
import { fetchDocument } from '../fetch-document.js'

const MAX_ENTRIES_BYTES = TILE_WIDTH * (2 + 65_535)
const MAX_PROOF_BYTES = 16 * 1024

/** Where the tiles of a log are: those of the active one at `/log`, those of frozen number n at `/log/n`. */
export interface LogPlace {
  readonly origin: string
  /** Absent for the active log. */
  readonly number?: number
}

/**
 * What a registry, or a mirror of it, serves of its log. Nothing of it is believed here.
 * Each read throws `registry-unreachable`, `registry-error` for what is not served, or the format's own code.
 */
export interface LogSource {
  readonly registry: string
  checkpoint(): Promise<string>
  /** Undefined where it is not served, as by a mirror. */
  committed(): Promise<string | undefined>
  frozenNote(number: number): Promise<string>
  status(): Promise<Uint8Array>
  /** Undefined when there is no such version. */
  root(version: number): Promise<string | undefined>
  entries(place: LogPlace, n: number, width: number): Promise<Uint8Array[]>
  tile(place: LogPlace, level: number, n: number, width: number): Promise<Uint8Array[]>
  /** Undefined where nobody computes proofs, as at a static mirror. */
  consistency(place: LogPlace, from: number, to: number): Promise<Uint8Array[] | undefined>
  revocations(rootHex: string): Promise<Uint8Array>
  /** Undefined when there is none. */
  bundle(digest: Digest): Promise<Uint8Array | undefined>
}

/**
 * @param signal ends what is being waited for: then reads reject with its reason
 * @param send what asks over the network
 */
export function openSource(registry: string, signal: AbortSignal, send: typeof fetch = fetch): LogSource {
  const read = (path: string, maxBytes: number): Promise<Uint8Array> =>
    until(signal, () => fetchDocument(`${registry}/${path}`, maxBytes, { send }))
  const look = (path: string, maxBytes: number): Promise<Uint8Array | undefined> =>
    until(signal, () => fetchDocument(`${registry}/${path}`, maxBytes, { send, absent: 'is-undefined' }))
  const folder = ({ number }: LogPlace): string => (number === undefined ? 'log' : `log/${number}`)
  const note = async (path: string): Promise<string> => textOf(await read(path, MAX_NOTE_BYTES))

  return {
    registry,
    checkpoint: () => note('log/checkpoint'),
    async committed() {
      const bytes = await look('log/checkpoint.committed', MAX_NOTE_BYTES)
      return bytes && textOf(bytes)
    },
    frozenNote: (number) => note(`log/${number}/checkpoint`),
    status: () => read('v1/status', MAX_STATUS_BYTES),
    async root(version) {
      const bytes = await look(`v1/root/${version}`, MAX_ROOT_BYTES)
      return bytes && textOf(bytes)
    },
    async entries(place, n, width) {
      const path = `${folder(place)}/${formatTilePath('entries', n, width)}`
      return parseEntryBundle(await read(path, MAX_ENTRIES_BYTES), width)
    },
    async tile(place, level, n, width) {
      const path = `${folder(place)}/${formatTilePath(level, n, width)}`
      return parseHashTile(await read(path, TILE_WIDTH * 32), width)
    },
    async consistency({ origin, number }, from, to) {
      const log = number === undefined ? '' : `&log=${encodeURIComponent(origin)}`
      const bytes = await look(`v1/consistency?from=${from}&to=${to}${log}`, MAX_PROOF_BYTES)
      return bytes && parseProof(bytes)
    },
    revocations: (rootHex) => read(`v1/revocations/${rootHex}`, MAX_REVOCATIONS_BYTES),
    bundle: (digest) => look(`v1/bundles/${digest}`, MAX_BUNDLE_BYTES),
  }
}

function textOf(bytes: Uint8Array): string {
  return parseText(bytes, MAX_ROOT_BYTES)
}

function parseProof(bytes: Uint8Array): Uint8Array[] {
  const value = parseStrictJson(bytes, { maxBytes: MAX_PROOF_BYTES })
  const proof = isJsonObject(value) ? value['proof'] : undefined
  if (!Array.isArray(proof) || proof.length > MAX_PROOF_HASHES) refuse('proof-malformed', 'no list of hashes')
  return proof.map((hash) =>
    typeof hash === 'string' ? decodeBase64(hash) : refuse('proof-malformed', 'not a hash'),
  )
}

/** What was asked for, or the reason for which nobody waits for it any more. */
async function until<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  let stop = (): void => undefined
  const ended = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([run(), ended])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Whether an error says that what was served is wrong, and not that nothing was, or that something here failed. */
export function isAboutServed(error: unknown): error is CountersignError {
  return error instanceof CountersignError && !HERE.has(error.code)
}

const HERE: ReadonlySet<string> = new Set([
  'registry-unreachable',
  'usage',
  'io',
  'memory-corrupt',
  'memory-locked',
])
