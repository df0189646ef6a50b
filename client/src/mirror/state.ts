import {
  CountersignError,
  isDigest,
  isJsonObject,
  parseServerName,
  parseStrictJson,
  refuse,
  utf8Bytes,
  type Digest,
  type JsonObject,
} from '../core/index.js'
import { MIRROR_PATH } from '../static-api/paths.js'
import type { Folder } from './folder.js'

const STATE_PATH = '.mirror.json'
const FORMAT = 'countersign/mirror/v1'
const MAX_STATE_BYTES = 4 * 1024 * 1024

/** What the next run goes on from. A hint: everything it leads to is verified again. */
export interface MirrorState {
  readonly identity: string
  /** Origin of the log whose tiles stand at `log/`; empty before the first run came to its end. */
  readonly active: string
  /** Everything below this position is in the lists. */
  readonly end: number
  readonly servers: 'all' | readonly string[]
  /** Servers of which something was refused: looked at again. */
  readonly retry: readonly Retry[]
  /** How much of each log is copied, by origin. */
  readonly copied: Readonly<Record<string, number>>
  /** Sizes at which the active log has narrow tiles. */
  readonly edges: readonly number[]
  /** Revocation lists in the folder, hex. */
  readonly lists: readonly string[]
}

/** A server that is looked at again, and what is known of it already. */
export interface Retry {
  readonly server: string
  /** What its log approved and the registry does not list. */
  readonly unlisted: readonly Digest[]
  /** Of which there may be a newer bundle than the one that is kept. */
  readonly changed: readonly Digest[]
}

/** What a mirror says of itself to people and to hosts. */
export interface MirrorAbout {
  readonly identity: string
  readonly registry: string
  readonly origin: string
  readonly size: number
  readonly servers: 'all' | readonly string[]
  /** How much of these was left out: while it is more than nothing, nobody can say what is not there. */
  readonly leftOut: number
  /** RFC 3339. */
  readonly at: string
}

/**
 * The state of a folder; that of a new one when it holds none.
 * @throws CountersignError `registry-mismatch` for the mirror of another registry, `io` when it is damaged
 */
export async function readState(folder: Folder, identity: string): Promise<MirrorState> {
  const bytes = await folder.read(STATE_PATH, MAX_STATE_BYTES)
  if (bytes === undefined) {
    return { identity, active: '', end: 0, servers: [], retry: [], copied: {}, edges: [], lists: [] }
  }
  const state = parseState(bytes)
  if (state.identity !== identity) {
    refuse('registry-mismatch', 'the folder is the mirror of another registry', {
      expected: identity,
      found: state.identity,
    })
  }
  return state
}

export async function writeState(folder: Folder, state: MirrorState): Promise<void> {
  const bytes = formatState(state)
  // More than the next run would read: that one begins at the first entry instead, and finds all of it again.
  const isTooMuch = bytes.length > MAX_STATE_BYTES
  await folder.write(STATE_PATH, isTooMuch ? formatState({ ...state, end: 0, retry: [] }) : bytes)
}

function formatState(state: MirrorState): Uint8Array {
  return utf8Bytes(`${JSON.stringify({ format: FORMAT, ...state }, undefined, 2)}\n`)
}

export async function writeAbout(folder: Folder, about: MirrorAbout): Promise<void> {
  await folder.write(
    MIRROR_PATH,
    utf8Bytes(`${JSON.stringify({ format: FORMAT, ...about }, undefined, 2)}\n`),
  )
}

function parseState(bytes: Uint8Array): MirrorState {
  try {
    const value = parseStrictJson(bytes, { maxBytes: MAX_STATE_BYTES })
    if (isJsonObject(value) && value['format'] === FORMAT) return readMembers(value)
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
  }
  return refuse('io', '.mirror.json is damaged: move it and the folder away, and mirror anew')
}

function readMembers(value: JsonObject): MirrorState {
  const { servers, copied } = value
  return {
    identity: textOf(value['identity']),
    active: textOf(value['active']),
    end: sizeOf(value['end']),
    servers: servers === 'all' ? 'all' : namesOf(servers),
    retry: listOf(value['retry']).map(retryOf),
    copied: Object.fromEntries(
      Object.entries(isJsonObject(copied ?? null) ? (copied as JsonObject) : damaged()).map(
        ([origin, size]) => [origin, sizeOf(size)],
      ),
    ),
    edges: listOf(value['edges']).map(sizeOf),
    lists: listOf(value['lists']).map(textOf),
  }
}

function damaged(): never {
  return refuse('io', 'a member of another kind')
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : damaged()
}

function sizeOf(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : damaged()
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : damaged()
}

function retryOf(value: unknown): Retry {
  if (!isJsonObject(value)) damaged()
  const [server = damaged()] = namesOf([value['server']])
  return { server, unlisted: digestsOf(value['unlisted']), changed: digestsOf(value['changed']) }
}

function digestsOf(value: unknown): readonly Digest[] {
  return listOf(value).map((one) => (isDigest(one) ? one : damaged()))
}

function namesOf(value: unknown): readonly string[] {
  return listOf(value).map((one) => parseServerName(textOf(one)).name)
}
