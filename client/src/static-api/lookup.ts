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
export function parseStoredLookup(bytes: Uint8Array): StoredServer[] {
  return parseServers(bytes, (entry, role) => ({ ...parseSummary(entry, role), ...versionsOf(entry) }))
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
  if (found.length === 0) await assertWhole(read)
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
 * What a mirror of some servers does not hold may be signed all the same, and must not pass for a server nobody signed.
 * @throws CountersignError `registry-unreachable`
 */
export async function assertWhole(read: ReadDocument): Promise<void> {
  const bytes = await read(MIRROR_PATH, MAX_MIRROR_BYTES)
  if (bytes === undefined) return
  const about = answer(() => parseStrictJson(bytes, { maxBytes: MAX_MIRROR_BYTES }))
  if (isJsonObject(about) && about['servers'] === 'all') return
  refuse('registry-unreachable', 'this mirror holds some servers only, and this is none of them')
}
