import {
  canonicalize,
  decodeBase64,
  encodeBase64,
  isJsonObject,
  MAX_BUNDLE_BYTES,
  parseDigest,
  parseEvent,
  parseServerName,
  parseStatus,
  parseStrictJson,
  parseVersion,
  refuse,
  toHex,
  utf8Bytes,
  type Digest,
  type JsonObject,
} from './core/index.js'
import type { LookupResult, RegistryApi, VersionSummary } from './registry-api.js'

export const OFFLINE_FORMAT = 'countersign/offline/v1'
const MAX_OFFLINE_BYTES = 2 * MAX_BUNDLE_BYTES + 40 * 1024 * 1024

/** Everything a host without network needs for one version: what a registry would have answered (PROTOCOL 9). */
export interface OfflineBundle {
  readonly format: typeof OFFLINE_FORMAT
  readonly registry: string
  readonly server: string
  readonly version: string
  readonly role: 'publisher' | 'voucher'
  readonly manifest: Digest
  /** Texts exactly as the registry served them. */
  readonly bundle: string
  readonly status: string
  readonly revocations: string
  /** The list that the status's denials name, where it has any. */
  readonly denials?: string
  readonly consistency: readonly OfflineProof[]
  /** Signed notes of root versions from 2 on, as far as they were needed. */
  readonly roots: readonly string[]
}

/** Of the active log, or of the frozen one that `log` names by its origin. */
export interface OfflineProof {
  readonly from: number
  readonly to: number
  readonly log?: string
  readonly proof: readonly Uint8Array[]
}

/** The bytes of an offline bundle: JCS. */
export function formatOffline(offline: OfflineBundle): Uint8Array {
  const consistency = offline.consistency.map((one) => ({ ...one, proof: one.proof.map(encodeBase64) }))
  return utf8Bytes(canonicalize({ ...offline, consistency }))
}

/**
 * Parses an offline bundle's shape; proves nothing.
 * @throws CountersignError `bundle-malformed`, or a lexical or `json-…` code
 */
export function parseOffline(bytes: Uint8Array): OfflineBundle {
  const value = parseStrictJson(bytes, { maxBytes: MAX_OFFLINE_BYTES, maxDepth: 6 })
  if (!isJsonObject(value) || value['format'] !== OFFLINE_FORMAT) malformed('format')
  const unknown = Object.keys(value).find((key) => !MEMBERS.has(key))
  if (unknown !== undefined) malformed(unknown)
  const { role, denials } = value
  if (denials !== undefined && typeof denials !== 'string') malformed('denials')
  if (role !== 'publisher' && role !== 'voucher') malformed('role')
  return {
    format: OFFLINE_FORMAT,
    registry: textOf(value, 'registry'),
    server: parseServerName(textOf(value, 'server')).name,
    version: parseVersion(textOf(value, 'version')).text,
    role,
    manifest: parseDigest(textOf(value, 'manifest')),
    bundle: textOf(value, 'bundle'),
    status: textOf(value, 'status'),
    revocations: textOf(value, 'revocations'),
    ...(denials !== undefined && { denials }),
    consistency: listOf(value, 'consistency').map((one) =>
      parseProof(isJsonObject(one) ? one : malformed('proof')),
    ),
    roots: listOf(value, 'roots').map((one) => (typeof one === 'string' ? one : malformed('roots'))),
  }
}

const MEMBERS: ReadonlySet<string> = new Set([
  'format',
  'registry',
  'server',
  'version',
  'role',
  'manifest',
  'bundle',
  'status',
  'revocations',
  'denials',
  'consistency',
  'roots',
])

function malformed(where: string): never {
  return refuse('bundle-malformed', `offline bundle: ${where}`)
}

function textOf(value: JsonObject, name: string): string {
  const text = value[name]
  return typeof text === 'string' ? text : malformed(name)
}

function listOf(value: JsonObject, name: string): readonly unknown[] {
  const list = value[name]
  return Array.isArray(list) && list.length <= 256 ? list : malformed(name)
}

function parseProof(value: JsonObject): OfflineBundle['consistency'][number] {
  const { from, to, log } = value
  if (typeof from !== 'number' || typeof to !== 'number') malformed('consistency')
  if (log !== undefined && (typeof log !== 'string' || log.length > 255)) malformed('consistency')
  const proof = listOf(value, 'proof').map((hash) =>
    typeof hash === 'string' ? decodeBase64(hash) : malformed('proof'),
  )
  return { from, to, ...(log !== undefined && { log }), proof }
}

/**
 * A registry that has nothing but one offline bundle. It proves as little as any other: everything is verified the same
 * way, only freshness has the longer bound, and what it does not hold is `registry-unreachable`.
 */
export function offlineApi(offline: OfflineBundle): RegistryApi {
  const { server, role } = offline
  const versions: readonly VersionSummary[] = [
    { version: offline.version, manifest: offline.manifest, role, status: 'approved', index: 0 },
  ]
  const found: LookupResult = { server, role, versions }
  const text = (name: 'bundle' | 'status'): Uint8Array => utf8Bytes(offline[name])
  return {
    fetchStatus: () => later(() => text('status')),
    fetchBundle: (digest) => later(() => (digest === offline.manifest ? text('bundle') : absent('bundle'))),
    fetchConsistency: (from, to, log) =>
      later(() => {
        const one = offline.consistency.find((proof) => isSame(proof, { from, to, log }))
        return one === undefined ? absent('consistency proof') : [...one.proof]
      }),
    // Which of two it is, the status says; that it is the right one is proved by its root.
    fetchRevocations: (rootHex) =>
      later(() => utf8Bytes(namesDenials(offline, rootHex) ? (offline.denials ?? '') : offline.revocations)),
    fetchRoot: (version) =>
      later(() =>
        offline.roots.find((note) => version !== 'latest' && note.split('\n')[2] === String(version)),
      ),
    fetchVersions: (name) => later(() => (name === server ? [...versions] : absent('server'))),
    // Whether the manifest speaks for the artifact is checked where every look-up is.
    lookup: () => later(() => [found]),
  }
}

function isSame(a: OfflineProof, b: { from: number; to: number; log: string | undefined }): boolean {
  return a.from === b.from && a.to === b.to && a.log === b.log
}

function namesDenials({ denials, status }: OfflineBundle, rootHex: string): boolean {
  if (denials === undefined) return false
  const snapshot = parseStatus(utf8Bytes(status)).denials?.snapshot.event
  const event = snapshot === undefined ? undefined : parseEvent(snapshot)
  return event?.t === 'snapshot' && toHex(decodeBase64(event.revocations)) === rootHex
}

function absent(what: string): never {
  return refuse('registry-unreachable', `the offline bundle holds no such ${what}`)
}

function later<T>(run: () => T): Promise<T> {
  return new Promise((resolve) => resolve(run()))
}
