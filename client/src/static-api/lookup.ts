import { isJsonObject, parseStrictJson, refuse, type JsonObject } from '../core/index.js'
import { answer, MAX_LIST_BYTES, parseServers, parseSummary, type ListedServer } from './answers.js'
import type { LookupQuery, LookupResult, ReadDocument, VersionSummary } from './api.js'
import { lookupPath, MIRROR_PATH } from './paths.js'

// A look-up of files: one a package name, one a URL. What a registry tells apart by query, the rows say themselves.

/** A version in a look-up file, with the versions of the package by which it is found. */
export interface StoredVersion extends VersionSummary {
  readonly packageVersions?: readonly string[]
}

export type StoredServer = ListedServer<StoredVersion>

const MAX_MIRROR_BYTES = 256 * 1024

/** Parses a look-up file. @throws CountersignError `registry-error` */
export function parseStoredLookup(bytes: Uint8Array, maxServers?: number): StoredServer[] {
  const readRow = (entry: JsonObject, role: LookupResult['role']): StoredVersion => ({
    ...parseSummary(entry, role),
    ...versionsOf(entry),
  })
  return parseServers(bytes, readRow, maxServers)
}

function versionsOf({ packageVersions: list }: JsonObject): { packageVersions?: readonly string[] } {
  if (!Array.isArray(list)) return {}
  return { packageVersions: list.filter((one): one is string => typeof one === 'string') }
}

/** What a registry answers to `GET /v1/lookup`, from files. */
export async function lookUp(read: ReadDocument, query: LookupQuery): Promise<LookupResult[]> {
  const { package: text, url } = query
  const found =
    url === undefined ? await byPackage(read, text ?? '') : await readServers(read, lookupPath('url', url))
  if (found.length === 0) await assertWhole(read, 'is-mirror')
  return found
}

async function byPackage(read: ReadDocument, text: string): Promise<StoredServer[]> {
  const { name, version } = splitVersion(text)
  const rows = version === undefined ? [] : await readServers(read, lookupPath('package', name))
  const named = rows
    .map((one) => ({
      ...one,
      versions: one.versions.filter((row) => row.packageVersions?.includes(version ?? '') === true),
    }))
    .filter(({ versions }) => versions.length > 0)
  // An identifier may have an @ of its own: then all of the text is the name.
  return named.length > 0 ? named : readServers(read, lookupPath('package', text))
}

/** `npm:@scope/name@1.0.0`: the @ that begins the version stands last, and never at the beginning of a name. */
function splitVersion(text: string): { name: string; version?: string } {
  const at = text.lastIndexOf('@')
  if (at <= text.indexOf(':') + 1) return { name: text }
  return { name: text.slice(0, at), version: text.slice(at + 1) }
}

async function readServers(read: ReadDocument, path: string): Promise<StoredServer[]> {
  const bytes = await read(path, MAX_LIST_BYTES)
  return bytes === undefined ? [] : parseStoredLookup(bytes)
}

/**
 * What a mirror of some servers does not hold may be signed all the same, and must not pass for a server nobody signed:
 * hosts pin those on first use. Neither must what a mirror left out, one that is half written, and what a web server that
 * is no mirror at all does not find; a name alone is never pinned, and a registry has no such document.
 * @throws CountersignError `registry-unreachable`
 */
export async function assertWhole(read: ReadDocument, isMirror?: 'is-mirror'): Promise<void> {
  const bytes = await read(MIRROR_PATH, MAX_MIRROR_BYTES)
  if (bytes === undefined && isMirror === undefined) return
  const about = bytes && answer(() => parseStrictJson(bytes, { maxBytes: MAX_MIRROR_BYTES }))
  if (isJsonObject(about) && isWhole(about)) return
  refuse('registry-unreachable', 'this mirror does not hold every server, and none that is meant here')
}

function isWhole({ servers, leftOut }: JsonObject): boolean {
  return servers === 'all' && (leftOut === undefined || leftOut === 0)
}
