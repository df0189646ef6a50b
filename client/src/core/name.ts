import { sha256 } from './bytes.js'
import { refuse } from './errors.js'

/** A server's name as the MCP Registry writes it: `com.example/weather`. */
export interface ServerName {
  readonly name: string
  readonly namespace: string
  readonly local: string
}

/** A version as Semantic Versioning 2.0.0 defines it. `text` is the only spelling of it. */
export interface SemVer {
  readonly text: string
  readonly major: number
  readonly minor: number
  readonly patch: number
  readonly prerelease: readonly string[]
}

const LABEL = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/
// Dots alone would be a step through somebody's folders.
const LOCAL = /^(?!\.+$)[a-zA-Z0-9._-]{1,197}$/
const TOOL_NAME = /^[A-Za-z0-9_.-]{1,128}$/
const IDENTITY = /^[a-z0-9](?:[a-z0-9.-]{0,126}[a-z0-9])?$/
const SEMVER =
  /^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/

/**
 * Parses a reverse-DNS namespace of at least two labels.
 * @throws CountersignError `name-invalid`
 */
export function parseNamespace(text: string): string {
  const labels = text.length <= 198 ? text.split('.') : []
  if (labels.length < 2 || !labels.every((label) => LABEL.test(label))) {
    refuse('name-invalid', 'a namespace is a reversed domain of two labels or more, such as com.example')
  }
  return text
}

/**
 * Parses `namespace/name`, 3 to 200 characters (PROTOCOL 2).
 * @throws CountersignError `name-invalid`
 */
export function parseServerName(text: string): ServerName {
  const slash = text.indexOf('/')
  const local = text.slice(slash + 1)
  if (text.length > 200 || slash < 1 || !LOCAL.test(local)) {
    refuse('name-invalid', 'a server name reads namespace/name, such as com.example/weather')
  }
  return { name: text, namespace: parseNamespace(text.slice(0, slash)), local }
}

/** The key by which server names are unique: two names that differ only in case are one name (PROTOCOL 2). */
export function foldServerName(name: string): string {
  return name.toLowerCase()
}

/** Whether the text may name a tool: `[A-Za-z0-9_.-]{1,128}` (PROTOCOL 2). */
export function isToolName(text: unknown): text is string {
  return typeof text === 'string' && TOOL_NAME.test(text)
}

/**
 * Parses a version. Ranges, `latest` and shortened versions are refused: a manifest speaks of exactly one.
 * @throws CountersignError `version-invalid`
 */
export function parseVersion(text: string): SemVer {
  const match = text.length <= 128 ? SEMVER.exec(text) : null
  const prerelease = match?.[4]?.split('.') ?? []
  // SemVer 2.0.0, 9: numeric identifiers carry no leading zero.
  if (match === null || prerelease.some((part) => /^0\d+$/.test(part))) {
    refuse(
      'version-invalid',
      'a version is a full Semantic Version, such as 1.4.0; ranges and "latest" are not',
    )
  }
  const [, major, minor, patch] = match
  return { text, major: Number(major), minor: Number(minor), patch: Number(patch), prerelease }
}

/** Precedence by SemVer 2.0.0, 11: negative, zero or positive. Build metadata does not count. */
export function compareVersions(a: SemVer, b: SemVer): number {
  const core = a.major - b.major || a.minor - b.minor || a.patch - b.patch
  if (core !== 0) return core
  if (a.prerelease.length === 0 || b.prerelease.length === 0) return b.prerelease.length - a.prerelease.length
  const length = Math.max(a.prerelease.length, b.prerelease.length)
  for (let i = 0; i < length; i++) {
    const order = compareIdentifiers(a.prerelease[i], b.prerelease[i])
    if (order !== 0) return order
  }
  return 0
}

function compareIdentifiers(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1
  const numeric = [/^\d+$/.test(a), /^\d+$/.test(b)]
  if (numeric[0] && numeric[1]) return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
  if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1
  return a < b ? -1 : a > b ? 1 : 0
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

/** The default identity of a registry: `registry-` and 20 base32 characters of SHA-256(first root key) (PROTOCOL 2). */
export function registryIdentity(rootPublicKey: Uint8Array): string {
  const digest = sha256(rootPublicKey)
  let text = ''
  for (let i = 0; i < 20; i++) {
    const bit = i * 5
    const pair = ((digest[bit >> 3] ?? 0) << 8) | (digest[(bit >> 3) + 1] ?? 0)
    text += BASE32.charAt((pair >> (11 - (bit & 7))) & 31)
  }
  return `registry-${text}`
}

/** Whether the text may be a registry's identity: lower-case letters, digits, dots and hyphens, 1 to 128. */
export function isRegistryIdentity(text: string): boolean {
  return IDENTITY.test(text)
}
