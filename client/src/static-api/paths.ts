import { isDigest, parseServerName, refuse, sha256, toHex, utf8Bytes, type Digest } from '../core/index.js'

// Where the documents of a registry stand, below its address or below the folder of a mirror.

export const STATUS_PATH = 'v1/status'
export const HOST_POLICY_PATH = 'v1/host-policy'
export const MIRROR_PATH = 'mirror.json'

/** The folder of the active log, or of the `number`th frozen one (from 1). */
export function logPrefix(number?: number): string {
  return number === undefined ? 'log/' : `log/${number}/`
}

/** @throws CountersignError `digest-invalid` */
export function bundlePath(digest: Digest): string {
  return `v1/bundles/${safeDigest(digest)}`
}

/** @throws CountersignError `digest-invalid` */
export function policyPath(digest: Digest): string {
  return `v1/policies/${safeDigest(digest)}`
}

/** Types are a promise of the caller's; a path is made of what was looked at. */
function safeDigest(digest: string): string {
  return isDigest(digest) ? digest : refuse('digest-invalid', 'not a digest')
}

/** @throws CountersignError `digest-invalid` */
export function revocationsPath(rootHex: string): string {
  return /^[0-9a-f]{64}$/.test(rootHex)
    ? `v1/revocations/${rootHex}`
    : refuse('digest-invalid', 'not the root of a revocation list')
}

/** @throws CountersignError `decimal-invalid` */
export function rootPath(version: number | 'latest'): string {
  return version === 'latest' || (Number.isSafeInteger(version) && version > 0)
    ? `v1/root/${version}`
    : refuse('decimal-invalid', 'not a version of a trust root')
}

/**
 * The list of a server's versions. A name that a file system or a URL reads as a step has none.
 * @throws CountersignError `name-invalid`
 */
export function versionsPath(server: string): string {
  const { name, local } = parseServerName(server)
  if (local === '.' || local === '..') refuse('name-invalid', 'this name is no file’s', { server: name })
  return `v1/servers/${name}/versions`
}

/** What is found by a package, `npm:NAME` without its version, or by a URL in the spelling of the URL standard. */
export function lookupPath(kind: 'package' | 'url', value: string): string {
  const spelt = kind === 'url' && URL.canParse(value) ? new URL(value).href : value
  return `v1/lookup/${toHex(sha256(utf8Bytes(`${kind}=${spelt}`)))}`
}
