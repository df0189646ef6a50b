import { utf8Bytes } from './bytes.js'
import { canonicalize, parseCanonicalJson } from './canonical-json.js'
import { refuse } from './errors.js'
import { decodeKeyX, keyThumbprint } from './key.js'
import { decodeBase64, parseDigest, parseText, type Digest } from './lexical.js'
import { parseNamespace, parseServerName, parseVersion } from './name.js'
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
import { isJsonObject, type JsonValue } from './strict-json.js'

/** One log leaf: JCS JSON, one line, at most this many bytes (PROTOCOL 6). */
export const MAX_EVENT_BYTES = 4096

export type NamespaceProof = 'dns' | 'http' | 'oidc' | 'admin'
export type KeyRole = 'sign' | 'own'
export type RevokeReason = 'superseded' | 'cessation' | 'compromise'

/** Enrols a namespace's first own key; signed by that key. `after` is absent: nothing about it was logged before. */
export interface NamespaceEvent {
  readonly v: 1
  readonly t: 'namespace'
  readonly namespace: string
  readonly proof: NamespaceProof
  readonly account: string
  readonly x: string
  readonly kid: string
  readonly sig: string
  readonly sigs?: readonly string[]
  readonly after?: number
}

/** Gives a key a role; `pop` by the new key, `sig` by an own key of the namespace, or `sigs` by the authorities. */
export interface KeyAddEvent {
  readonly v: 1
  readonly t: 'key.add'
  readonly namespace: string
  readonly x: string
  readonly kid: string
  readonly role: KeyRole
  readonly pop: string
  readonly sig?: string
  readonly sigs?: readonly string[]
  readonly after: number
}

/** Ends a key. `invalidFrom` absent: from this event's own index on. */
export interface KeyRevokeEvent {
  readonly v: 1
  readonly t: 'key.revoke'
  readonly namespace: string
  readonly kid: string
  readonly reason: RevokeReason
  readonly invalidFrom?: number
  readonly sig?: string
  readonly sigs?: readonly string[]
  readonly after: number
}

/** A manifest's publication. Hosts rebuild this leaf from the envelope; the envelope is its signature. */
export interface PublishEvent {
  readonly v: 1
  readonly t: 'publish'
  readonly server: string
  readonly version: string
  readonly role: 'publisher' | 'voucher'
  readonly kid: string
  readonly manifest: Digest
  readonly envelope: Digest
}

/** An approval of exactly one manifest. `sole`: four eyes was off, because the registry had one account. */
export interface ApproveEvent {
  readonly v: 1
  readonly t: 'approve'
  readonly server: string
  readonly version: string
  readonly manifest: Digest
  readonly policy: Digest
  readonly deciders: readonly string[]
  readonly auto?: string
  readonly sole?: true
  readonly after: number
  readonly sigs?: readonly string[]
}

/** Any other decision, about one manifest, one server, or one tool definition wherever it stands. */
export interface DecisionEvent {
  readonly v: 1
  readonly t: 'reject' | 'withdraw' | 'deprecate' | 'revoke' | 'reinstate'
  readonly target: 'manifest' | 'server' | 'tool'
  readonly digest?: Digest
  readonly name?: string
  readonly reason: string
  readonly deciders: readonly string[]
  readonly after?: number
  readonly sigs?: readonly string[]
}

export interface RootEvent {
  readonly v: 1
  readonly t: 'root'
  readonly version: number
  readonly digest: Digest
}

/** Entry 0 of a successor log: the frozen predecessor. `root` is base64. */
export interface ContinueEvent {
  readonly v: 1
  readonly t: 'continue'
  readonly origin: string
  readonly size: number
  readonly root: string
}

/** The last entry of every batch. `asOf` is its own index; `revocations` is base64 of the RFC 6962 root. */
export interface SnapshotEvent {
  readonly v: 1
  readonly t: 'snapshot'
  readonly asOf: number
  readonly revocations: string
  readonly count: number
  readonly rootVersion: number
}

export type KeyEvent = NamespaceEvent | KeyAddEvent | KeyRevokeEvent
export type LogEvent =
  KeyEvent | PublishEvent | ApproveEvent | DecisionEvent | RootEvent | ContinueEvent | SnapshotEvent

const v = literal(1)
const kid = text(43, 43, /^[A-Za-z0-9_-]{43}$/, 'an RFC 7638 thumbprint')
const x = text(43, 43, /^[A-Za-z0-9_-]{43}$/, 'an Ed25519 public key, base64url')
const jws = text(1, 512, /^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+$/, 'a detached JWS')
const sigs = list(jws, 1, 10)
const digest = parsed(parseDigest) as Check<Digest>
const namespace = parsed(parseNamespace)
const account = text(1, 128, /^[A-Za-z0-9._:-]+$/, 'an opaque account id')
const deciders = list(account, 1, 16)
const reason = text(1, 512, /^[^\p{Cc}]+$/u, 'one line of text')
const server = parsed(parseServerName)
const version = parsed(parseVersion)
const role = literal('publisher', 'voucher')
const root = parsed((value) => {
  if (decodeBase64(value).length !== 32) refuse('event-invalid', 'a root is 32 bytes')
})

const decision = (t: DecisionEvent['t']): Check<DecisionEvent> => {
  const shape = object({
    v,
    t: literal(t),
    target: literal('manifest', 'server', 'tool'),
    digest: optional(digest),
    name: optional(server),
    reason,
    deciders,
    after: optional(whole()),
    sigs: optional(sigs),
  })
  return (value, where) => {
    const event = shape(value, where)
    const named = event.target === 'server'
    if (named !== (event.name !== undefined) || named === (event.digest !== undefined)) {
      mismatch(where, 'a server is named, a manifest or tool has its digest')
    }
    return event
  }
}

const SHAPES: Readonly<Record<LogEvent['t'], Check<LogEvent>>> = {
  namespace: object({
    v,
    t: literal('namespace'),
    namespace,
    proof: literal('dns', 'http', 'oidc', 'admin'),
    account,
    x,
    kid,
    sig: jws,
    sigs: optional(sigs),
    after: optional(whole()),
  }),
  'key.add': object({
    v,
    t: literal('key.add'),
    namespace,
    x,
    kid,
    role: literal('sign', 'own'),
    pop: jws,
    sig: optional(jws),
    sigs: optional(sigs),
    after: whole(),
  }),
  'key.revoke': object({
    v,
    t: literal('key.revoke'),
    namespace,
    kid,
    reason: literal('superseded', 'cessation', 'compromise'),
    invalidFrom: optional(whole()),
    sig: optional(jws),
    sigs: optional(sigs),
    after: whole(),
  }),
  publish: object({
    v,
    t: literal('publish'),
    server,
    version,
    role,
    kid,
    manifest: digest,
    envelope: digest,
  }),
  approve: object({
    v,
    t: literal('approve'),
    server,
    version,
    manifest: digest,
    policy: digest,
    deciders,
    auto: optional(text(1, 128)),
    sole: optional(literal(true)),
    after: whole(),
    sigs: optional(sigs),
  }),
  reject: decision('reject'),
  withdraw: decision('withdraw'),
  deprecate: decision('deprecate'),
  revoke: decision('revoke'),
  reinstate: decision('reinstate'),
  root: object({ v, t: literal('root'), version: whole(1), digest }),
  continue: object({ v, t: literal('continue'), origin: text(1, 256), size: whole(1), root }),
  snapshot: object({
    v,
    t: literal('snapshot'),
    asOf: whole(),
    revocations: root,
    count: whole(),
    rootVersion: whole(1),
  }),
}

/**
 * Parses one leaf: at most 4 KiB, canonical, a known event with exactly its members. Signatures are not checked here.
 * @throws CountersignError a lexical or `json-…` code, or `event-invalid`
 */
export function parseEvent(leaf: string | Uint8Array): LogEvent {
  const line = typeof leaf === 'string' ? leaf : parseText(leaf, MAX_EVENT_BYTES)
  const value = parseCanonicalJson(line, { maxBytes: MAX_EVENT_BYTES, maxDepth: 4 })
  return checkShape(checkEvent, value, 'event-invalid', 'event')
}

function checkEvent(value: JsonValue, where: string): LogEvent {
  const t = isJsonObject(value) ? value['t'] : undefined
  if (typeof t !== 'string' || !Object.hasOwn(SHAPES, t)) mismatch(`${where}/t`, 'is no known event')
  const event = SHAPES[t as LogEvent['t']](value, where)
  if (
    (event.t === 'key.add' || event.t === 'key.revoke') &&
    event.sig === undefined &&
    event.sigs === undefined
  ) {
    mismatch(where, 'is signed by an own key or by the authorities')
  }
  if (
    (event.t === 'namespace' || event.t === 'key.add') &&
    keyThumbprint(decodeKeyX(event.x)) !== event.kid
  ) {
    mismatch(`${where}/kid`, 'is not the thumbprint of x')
  }
  return event
}

/**
 * The leaf of an event: JCS, one line, no line feed.
 * @throws CountersignError `event-invalid` when it is not one or longer than 4 KiB
 */
export function formatEvent(event: LogEvent): string {
  const leaf = canonicalize(event)
  if (utf8Bytes(leaf).length > MAX_EVENT_BYTES)
    refuse('event-invalid', `an event has at most ${MAX_EVENT_BYTES} bytes`)
  parseEvent(leaf)
  return leaf
}

/** The publish leaf of an envelope, as every host rebuilds it (PROTOCOL 10.6). */
export function publishLeaf(event: Omit<PublishEvent, 'v' | 't'>): string {
  const { server, version, role, kid, manifest, envelope } = event
  return canonicalize({ v: 1, t: 'publish', server, version, role, kid, manifest, envelope })
}

/** Whether an event is about a namespace's keys. */
export function isKeyEvent(event: LogEvent): event is KeyEvent {
  return event.t === 'namespace' || event.t === 'key.add' || event.t === 'key.revoke'
}

/** The 32 raw bytes of the key that a `namespace` or `key.add` event enrols. */
export function enrolledKey(event: NamespaceEvent | KeyAddEvent): Uint8Array {
  return decodeKeyX(event.x)
}

/**
 * What an event is about, as `latest event about the same target` counts it (PROTOCOL 6): `namespace:…`, `manifest:…`,
 * `server:…` or `tool:…`. Roots, successors and snapshots are about nothing else.
 */
export function eventTarget(event: LogEvent): string | undefined {
  switch (event.t) {
    case 'namespace':
    case 'key.add':
    case 'key.revoke':
      return `namespace:${event.namespace}`
    case 'publish':
    case 'approve':
      return `manifest:${event.manifest}`
    case 'reject':
    case 'withdraw':
    case 'deprecate':
    case 'revoke':
    case 'reinstate':
      return `${event.target}:${event.name ?? event.digest ?? ''}`
    case 'root':
    case 'continue':
    case 'snapshot':
      return undefined
  }
}
