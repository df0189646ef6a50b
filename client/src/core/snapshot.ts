import { compareBytes, equalBytes, utf8Bytes } from './bytes.js'
import { refuse } from './errors.js'
import { parseDecimal, parseDigest, parseText, type Digest } from './lexical.js'
import { leafHash, merkleRoot } from './merkle.js'
import { foldServerName, parseNamespace, parseServerName } from './name.js'

/** What is revoked now, one line each (PROTOCOL 6). A key's line keeps what it signed before `invalidFrom`. */
export type RevocationLine =
  | { readonly kind: 'key'; readonly namespace: string; readonly kid: string; readonly invalidFrom: number }
  | { readonly kind: 'manifest'; readonly digest: Digest }
  | { readonly kind: 'server'; readonly name: string }
  | { readonly kind: 'tool'; readonly digest: Digest }

/** All revocations as of one snapshot, ready for look-ups. */
export interface RevocationList {
  readonly root: Uint8Array
  readonly count: number
  readonly manifests: ReadonlySet<string>
  /** Folded: names that differ only in case are one name (PROTOCOL 2). */
  readonly servers: ReadonlySet<string>
  readonly tools: ReadonlySet<string>
  /** The index from which a key counts no more, by `namespace NUL kid`, the namespace folded. */
  readonly keys: ReadonlyMap<string, number>
}

/** A revocation list, in bytes: 100 000 lines fit. */
export const MAX_REVOCATIONS_BYTES = 32 * 1024 * 1024
const NUL = '\0'
const LF = 0x0a

/** One line without its LF: `key NUL namespace NUL kid NUL invalidFrom`, `manifest NUL digest`, … */
export function formatRevocationLine(line: RevocationLine): string {
  switch (line.kind) {
    case 'key':
      return ['key', line.namespace, line.kid, line.invalidFrom].join(NUL)
    case 'server':
      return ['server', line.name].join(NUL)
    case 'manifest':
    case 'tool':
      return [line.kind, line.digest].join(NUL)
  }
}

/**
 * Parses one line.
 * @throws CountersignError `snapshot-malformed`, or the lexical code of a part
 */
export function parseRevocationLine(text: string): RevocationLine {
  const [kind, ...parts] = text.split(NUL)
  const [a = '', kid = '', invalidFrom = ''] = parts
  if (kind === 'key' && parts.length === 3 && /^[A-Za-z0-9_-]{43}$/.test(kid)) {
    return { kind, namespace: parseNamespace(a), kid, invalidFrom: parseDecimal(invalidFrom) }
  }
  if (kind === 'server' && parts.length === 1) return { kind, name: parseServerName(a).name }
  if ((kind === 'manifest' || kind === 'tool') && parts.length === 1) return { kind, digest: parseDigest(a) }
  refuse('snapshot-malformed', 'not a revocation line')
}

/** Sorts lines bytewise and drops repeats: the order the root is taken over. */
export function sortRevocations(lines: Iterable<string>): string[] {
  const distinct = [...new Set(lines)]
  // Below the surrogates both orders are one, and the runtime's own is many times as fast.
  if (!distinct.some((line) => /[\ud800-\uffff]/.test(line))) return distinct.sort()
  const encoded = distinct.map((line) => ({ line, bytes: utf8Bytes(line) }))
  return encoded.sort((a, b) => compareBytes(a.bytes, b.bytes)).map(({ line }) => line)
}

/** RFC 6962 root over the sorted lines; the empty list has the root of the empty tree. */
export function revocationRoot(sorted: readonly string[]): Uint8Array {
  return merkleRoot(sorted.map((line) => leafHash(utf8Bytes(line))))
}

/** The document behind `GET /v1/revocations/{root}`: every line ended by LF. */
export function formatRevocations(sorted: readonly string[]): Uint8Array {
  return utf8Bytes(sorted.map((line) => `${line}\n`).join(''))
}

/**
 * Parses a revocation list and proves it: strictly ascending lines whose root and count are the snapshot's.
 * @throws CountersignError `snapshot-malformed`, `input-too-large`, `utf8-invalid`, or `proof-mismatch` for another root
 */
export function parseRevocations(
  bytes: Uint8Array,
  expected: { root: Uint8Array; count: number },
): RevocationList {
  const text = parseText(bytes, MAX_REVOCATIONS_BYTES)
  const root = revocationRootOf(bytes)
  const lines = text.split('\n')
  if (lines.pop() !== '') refuse('snapshot-malformed', 'the last line ends with LF')
  if (lines.length !== expected.count || !equalBytes(root, expected.root)) {
    refuse('proof-mismatch', 'the revocation list is not the one the snapshot names')
  }
  return indexRevocations(lines, root)
}

/** The root over the lines as they stand in the document: nothing is encoded again. */
function revocationRootOf(bytes: Uint8Array): Uint8Array {
  const hashes: Uint8Array[] = []
  let before: Uint8Array | undefined
  for (let start = 0, end; (end = bytes.indexOf(LF, start)) >= 0; start = end + 1) {
    const line = bytes.subarray(start, end)
    if (before !== undefined && compareBytes(before, line) >= 0) {
      refuse('snapshot-malformed', 'revocation lines ascend strictly')
    }
    hashes.push(leafHash(line))
    before = line
  }
  return merkleRoot(hashes)
}

/**
 * Revocation lines ready for look-ups, in any order; `root` is the caller's to know.
 * @throws CountersignError `snapshot-malformed`, or the lexical code of a part
 */
export function indexRevocations(lines: readonly string[], root: Uint8Array): RevocationList {
  const manifests = new Set<string>()
  const servers = new Set<string>()
  const tools = new Set<string>()
  const keys = new Map<string, number>()
  for (const text of lines) {
    const line = parseRevocationLine(text)
    if (line.kind === 'key') {
      const name = keyName(line.namespace, line.kid)
      keys.set(name, Math.min(line.invalidFrom, keys.get(name) ?? Number.MAX_SAFE_INTEGER))
    } else if (line.kind === 'manifest') manifests.add(line.digest)
    else if (line.kind === 'server') servers.add(foldServerName(line.name))
    else tools.add(line.digest)
  }
  return { root, count: lines.length, manifests, servers, tools, keys }
}

/** The index from which a key of a namespace counts no more; undefined while it is not revoked. */
export function keyInvalidFrom(list: RevocationList, namespace: string, kid: string): number | undefined {
  return list.keys.get(keyName(namespace, kid))
}

function keyName(namespace: string, kid: string): string {
  return foldServerName(namespace) + NUL + kid
}
