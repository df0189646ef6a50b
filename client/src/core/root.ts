import { toHex, utf8Bytes } from './bytes.js'
import { canonicalize, parseCanonicalJson } from './canonical-json.js'
import { assertEnrolledKey } from './ed25519.js'
import { refuse } from './errors.js'
import { decodeKeyX } from './key.js'
import { decodeBase64, digestOf, parseDecimal, type Digest } from './lexical.js'
import { isRegistryIdentity } from './name.js'
import { parseVerifierKey, type VerifierKey } from './note-key.js'
import { openNote, parseNote } from './note.js'
import { parsePolicy, type QuorumPolicy } from './quorum.js'
import { recode } from './recode.js'
import {
  checkShape,
  list,
  literal,
  mismatch,
  object,
  optional,
  parsed,
  text,
  whole,
  type Check,
} from './shape.js'
import { isJsonObject } from './strict-json.js'
import { parseTime } from './time.js'

export const TRUST_ROOT_FORMAT = 'countersign/trust-root/v1'
/** A trust root's note, in bytes. */
export const MAX_ROOT_BYTES = 256 * 1024
/** How many rotations a host walks in one go (PROTOCOL 8). */
export const MAX_ROOT_STEPS = 256

/** Seconds: how often hosts ask, how old an answer may be, and how old an explicit offline bundle may be. */
export interface FreshnessLimits {
  readonly refreshSeconds: number
  readonly maxSeconds: number
  readonly offlineMaxSeconds: number
}

/** A log a host accepts. A frozen one is nothing but its final tree: later signatures of its key count for nothing. */
export type TrustedLog =
  | { readonly origin: string; readonly vkey: string; readonly status: 'active' }
  | {
      readonly origin: string
      readonly vkey: string
      readonly status: 'frozen'
      readonly final: { readonly size: number; readonly root: string }
    }

/** Keys as base64url of the 32 raw bytes, and how many distinct ones must sign. */
export interface KeyThreshold {
  readonly keys: readonly string[]
  readonly threshold: number
}

/** The JSON line of a trust root. */
export interface TrustRootBody {
  readonly expires: string
  readonly freshness: FreshnessLimits
  readonly logs: readonly TrustedLog[]
  readonly timestamper: string
  readonly policy: string
  readonly authorities?: KeyThreshold
  readonly approvers?: KeyThreshold
  readonly rootKeys: readonly string[]
  readonly threshold: number
}

/** What a host pins (PROTOCOL 8). Only `openTrustRoot` returns one whose signatures were checked. */
export interface TrustRoot extends TrustRootBody {
  readonly identity: string
  readonly version: number
  /** The whole signed note, as it arrived. */
  readonly note: string
  /** The signed text. */
  readonly text: string
  readonly expiresAt: number
  readonly quorum: QuorumPolicy
  readonly timestamperKey: VerifierKey
  readonly rootVerifiers: readonly VerifierKey[]
  readonly logVerifiers: ReadonlyMap<string, VerifierKey>
}

// Shapes are made when a root is read: who only verifies bundles, in a browser, need not load them.

const vkey = /* @__PURE__ */ parsed(parseVerifierKey)
const keyX = /* @__PURE__ */ parsed((x) => assertEnrolledKey(decodeKeyX(x)))

const threshold: Check<KeyThreshold> = (value, where) => {
  const set = object({ keys: list(keyX, 1, 32), threshold: whole(1, 32) })(value, where)
  if (new Set(set.keys).size !== set.keys.length) mismatch(`${where}/keys`, 'repeats a key')
  if (set.threshold > set.keys.length) mismatch(`${where}/threshold`, 'is more than there are keys')
  return set
}

const finalTree = () =>
  object({
    size: whole(1),
    root: parsed((root) => {
      if (decodeBase64(root).length !== 32) refuse('root-malformed', 'a final root is 32 bytes')
    }),
  })

const log: Check<TrustedLog> = (value, where) => {
  const named = { origin: text(1, 255), vkey }
  const isFrozen = isJsonObject(value) && value['status'] === 'frozen'
  return isFrozen
    ? object({ ...named, status: literal('frozen'), final: finalTree() })(value, where)
    : object({ ...named, status: literal('active') })(value, where)
}

const makeBody = (): Check<TrustRootBody> =>
  object({
    expires: parsed(parseTime),
    freshness: object({
      refreshSeconds: whole(1, 86_400),
      maxSeconds: whole(1, 31_536_000),
      offlineMaxSeconds: whole(1, 31_536_000),
    }),
    logs: list(log, 1, 32),
    timestamper: vkey,
    policy: text(1, 65_536),
    authorities: optional(threshold),
    approvers: optional(threshold),
    rootKeys: list(vkey, 1, 32),
    threshold: whole(1, 32),
  })
let made: Check<TrustRootBody> | undefined
const body: Check<TrustRootBody> = (value, where) => (made ??= makeBody())(value, where)

/**
 * Parses a trust root's note: its shape and the shapes of everything it pins. Verifies NO signature: see `openTrustRoot`.
 * @throws CountersignError `root-malformed`, or the lexical code of a part
 */
export function parseTrustRoot(note: string): TrustRoot {
  if (note.length > MAX_ROOT_BYTES)
    refuse('input-too-large', `a trust root has at most ${MAX_ROOT_BYTES} bytes`)
  const { text: signed } = parseNote(note)
  const [format, identity = '', version = '', line = '', end, ...more] = signed.split('\n')
  if (format !== TRUST_ROOT_FORMAT || end !== '' || more.length > 0) {
    refuse('root-malformed', `a trust root has four lines, the first ${TRUST_ROOT_FORMAT}`)
  }
  if (!isRegistryIdentity(identity)) refuse('root-malformed', 'line 2 is no registry identity')
  const number = parseDecimal(version)
  if (number < 1) refuse('root-malformed', 'the first version is 1')
  const value = parseCanonicalJson(line, { maxBytes: MAX_ROOT_BYTES })
  const pinned = checkShape(body, value, 'root-malformed', 'trust root')
  return { ...pinned, ...derive(pinned), identity, version: number, note, text: signed }
}

function derive(pinned: TrustRootBody) {
  const rootVerifiers = pinned.rootKeys.map(parseVerifierKey)
  const logs = pinned.logs.map((one) => ({ origin: one.origin, key: parseVerifierKey(one.vkey) }))
  const timestamperKey = parseVerifierKey(pinned.timestamper)
  const quorum = parsePolicy(pinned.policy)
  const all = [
    ...rootVerifiers,
    ...logs.map((one) => one.key),
    timestamperKey,
    ...quorum.witnesses.map((w) => w.key),
  ]
  for (const key of all) assertEnrolledKey(key.publicKey)
  // One key, one purpose: a signature made for one of them could otherwise be read as another's.
  if (new Set(all.map((key) => toHex(key.publicKey))).size !== all.length) {
    refuse('root-malformed', 'a key stands for two purposes')
  }
  if (rootVerifiers.some((key) => key.type !== 1) || logs.some((one) => one.key.type !== 1)) {
    refuse('root-malformed', 'root and log keys are of type 0x01')
  }
  if (timestamperKey.type !== 4) refuse('root-malformed', 'the timestamper cosigns: type 0x04')
  if (logs.some((one) => one.key.name !== one.origin))
    refuse('root-malformed', 'a log key is named as its origin')
  if (new Set(logs.map((one) => one.origin)).size !== logs.length)
    refuse('root-malformed', 'an origin stands twice')
  // Logs stand in the order of succession: positions are counted through the frozen ones to the active one.
  if (pinned.logs.findIndex((one) => one.status === 'active') !== pinned.logs.length - 1) {
    refuse('root-malformed', 'exactly one log is active, the last one')
  }
  if (pinned.threshold > rootVerifiers.length)
    refuse('root-malformed', 'the threshold is more than there are keys')
  return {
    expiresAt: parseTime(pinned.expires),
    quorum,
    timestamperKey,
    rootVerifiers,
    logVerifiers: new Map(logs.map((one) => [one.origin, one.key])),
  }
}

/**
 * Verifies a trust root's signatures: a threshold of its own root keys, and, when it follows another, exactly that one's
 * next version with a threshold of that one's keys too, its logs in succession to that one's; keys are counted by raw
 * bytes (PROTOCOL 8). Expiry is the caller's to judge.
 * @throws CountersignError `root-malformed` or `root-unsigned`
 */
export function openTrustRoot(note: string, previous?: TrustRoot): TrustRoot {
  const root = parseTrustRoot(note)
  assertSignedBy(root, root)
  if (previous !== undefined) {
    if (root.identity !== previous.identity || root.version !== previous.version + 1) {
      refuse('root-malformed', `version ${previous.version + 1} of ${previous.identity} was due`)
    }
    assertSignedBy(root, previous)
    assertSucceeds(root, previous)
  }
  return root
}

/**
 * PROTOCOL 8: what is frozen stays as it is, in its place; the active log stays, or is frozen and followed by one other. A
 * shape with exactly one active log at the end leaves nothing else to compare.
 */
function assertSucceeds({ logs }: TrustRoot, { logs: before }: TrustRoot): void {
  const last = before.length - 1
  const stays = before.every((log, i) => {
    const now = logs[i]
    const isSame = i < last ? canonicalize(now ?? null) === canonicalize(log) : now?.vkey === log.vkey
    return isSame && now?.origin === log.origin
  })
  if (!stays || logs.length > before.length + 1) {
    refuse('root-malformed', 'the logs do not follow those of the version before')
  }
}

function assertSignedBy(root: TrustRoot, by: TrustRoot): void {
  const { verified } = recode('root-unsigned', `the root keys of version ${by.version}`, () =>
    openNote(root.note, [...by.rootVerifiers]),
  )
  const distinct = new Set(verified.map(({ key }) => toHex(key.publicKey)))
  if (distinct.size < by.threshold) {
    refuse('root-unsigned', `${distinct.size} of ${by.threshold} root signatures of version ${by.version}`)
  }
}

/**
 * The text of a trust root, to be signed with `formatNote`.
 * @throws CountersignError `root-malformed`
 */
export function formatTrustRootText(identity: string, version: number, body: TrustRootBody): string {
  return `${TRUST_ROOT_FORMAT}\n${identity}\n${version}\n${canonicalize(body)}\n`
}

/** The fingerprint people compare: SHA-256 of the text of version 1 without signatures, for ever (PROTOCOL 8). */
export function rootFingerprint(text: string): Digest {
  return digestOf(utf8Bytes(text))
}

/** The one log that is active now. */
export function activeLog(root: TrustRoot): { readonly origin: string; readonly key: VerifierKey } {
  const origin = root.logs.find((one) => one.status === 'active')?.origin ?? ''
  const key = root.logVerifiers.get(origin)
  if (key === undefined) refuse('root-malformed', 'no active log')
  return { origin, key }
}

/** A log that a root names, and where it stands among the logs of the identity. */
export interface LogPlace {
  /** Position of its entry 0: the sizes of the frozen logs before it. */
  readonly base: number
  /** The one tree a frozen log is; absent for the active log. */
  readonly final?: { readonly size: number; readonly root: Uint8Array }
}

/** Finds a log by its origin (PROTOCOL 8); undefined for one this root does not name. */
export function findLog(root: TrustRoot, origin: string): LogPlace | undefined {
  let base = 0
  for (const log of root.logs) {
    const final =
      log.status === 'frozen' ? { size: log.final.size, root: decodeBase64(log.final.root) } : undefined
    if (log.origin === origin) return final === undefined ? { base } : { base, final }
    base += final?.size ?? 0
  }
  return undefined
}

/** The digest a `root` event carries: SHA-256 of the whole signed note. */
export function rootNoteDigest(note: string): Digest {
  return digestOf(utf8Bytes(note))
}
