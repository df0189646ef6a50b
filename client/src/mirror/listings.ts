import { compareVersions, CountersignError, parseVersion, utf8Bytes, type Manifest } from '../core/index.js'
import { MAX_LIST_BYTES } from '../static-api/answers.js'
import type { VersionSummary } from '../static-api/api.js'
import { parseStoredLookup, type StoredServer, type StoredVersion } from '../static-api/lookup.js'
import { lookupPath } from '../static-api/paths.js'
import type { Evidence } from './evidence.js'
import type { Folder } from './folder.js'

/** A document to be written, or to be gone. */
export interface Page {
  readonly path: string
  readonly bytes?: Uint8Array
}

/** Newest first, as a registry lists them. */
export function newestFirst<Row extends VersionSummary>(rows: readonly Row[]): Row[] {
  return rows.toSorted((a, b) => compareVersions(parseVersion(b.version), parseVersion(a.version)))
}

/** The list of a server's versions. */
export function formatVersions(server: string, found: readonly Evidence[]): Uint8Array {
  const namespace = server.slice(0, server.indexOf('/'))
  const versions = newestFirst(found.map(({ row }) => row))
  return formatJson({ server, namespace, versions })
}

function formatJson(value: unknown): Uint8Array {
  return utf8Bytes(JSON.stringify(value))
}

/** Under which look-ups a version is found, each with the versions of the package it names there. */
function lookupsOf({ subject, ...manifest }: Manifest): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  const namesAt = (path: string): Set<string> => {
    const names = found.get(path) ?? new Set()
    found.set(path, names)
    return names
  }
  const packages = [...(manifest.packages ?? []), ...(subject?.packages ?? [])]
  for (const { registryType, identifier, version } of packages) {
    const names = namesAt(lookupPath('package', `${registryType}:${identifier}`))
    if (version !== undefined) names.add(version)
  }
  const remotes = [...(manifest.remotes ?? []), ...(subject?.remotes ?? [])]
  for (const { url } of remotes) namesAt(lookupPath('url', url))
  return found
}

/** What is found by package and URL, as changes of the files that say it. */
export interface Lookups {
  /** What is listed of a server now, and what was listed of it before. */
  replace(server: string, now: readonly Evidence[], before: readonly Evidence[]): void
  pages(folder: Folder, relist: Relist): AsyncGenerator<Page>
}

/** What is listed of every server: a page that is damaged is made anew of it. */
export type Relist = () => Promise<ReadonlyMap<string, readonly Evidence[]>>

export function openLookups(): Lookups {
  /** By path, then by server; undefined: this server is found there no more. */
  const changes = new Map<string, Map<string, StoredServer | undefined>>()
  const changesAt = (path: string): Map<string, StoredServer | undefined> => {
    const at = changes.get(path) ?? new Map<string, StoredServer | undefined>()
    changes.set(path, at)
    return at
  }
  return {
    replace(server, now, before) {
      for (const { manifest } of before)
        for (const path of lookupsOf(manifest).keys()) changesAt(path).set(server, undefined)
      for (const [path, versions] of rowsByPath(now)) {
        changesAt(path).set(server, storedServer(server, versions))
      }
    },
    async *pages(folder, relist) {
      for (const [path, change] of changes) yield await mergePage(folder, path, change, relist)
    },
  }
}

function storedServer(server: string, versions: readonly StoredVersion[]): StoredServer | undefined {
  const [newest] = versions
  return newest && { server, role: newest.role, versions }
}

function rowsByPath(found: readonly Evidence[]): Map<string, StoredVersion[]> {
  const paths = new Map<string, StoredVersion[]>()
  for (const { row, manifest } of found) {
    for (const [path, versions] of lookupsOf(manifest)) {
      const rows = paths.get(path) ?? []
      rows.push(versions.size === 0 ? row : { ...row, packageVersions: [...versions].sort() })
      paths.set(path, rows)
    }
  }
  return new Map([...paths].map(([path, rows]) => [path, newestFirst(rows)]))
}

async function mergePage(
  folder: Folder,
  path: string,
  change: ReadonlyMap<string, StoredServer | undefined>,
  relist: Relist,
): Promise<Page> {
  const old = (await readPage(folder, path)) ?? (await remakePage(path, relist))
  const kept = old.filter(({ server }) => !change.has(server))
  const servers = [...kept, ...[...change.values()].filter((one) => one !== undefined)].sort(byRole)
  return servers.length === 0 ? { path } : { path, bytes: formatJson({ servers }) }
}

/** Undefined when it is damaged. Hosts take in fewer servers; the page is whole all the same, so that they refuse it. */
async function readPage(folder: Folder, path: string): Promise<StoredServer[] | undefined> {
  try {
    const bytes = await folder.read(path, MAX_LIST_BYTES)
    return bytes === undefined ? [] : parseStoredLookup(bytes, Infinity)
  } catch (error) {
    if (error instanceof CountersignError && error.code === 'registry-error') return undefined
    throw error
  }
}

async function remakePage(path: string, relist: Relist): Promise<StoredServer[]> {
  const servers: StoredServer[] = []
  for (const [server, found] of await relist()) {
    const stored = storedServer(server, rowsByPath(found).get(path) ?? [])
    if (stored !== undefined) servers.push(stored)
  }
  return servers
}

/** A publisher's own manifest goes before a voucher's (PROTOCOL 4). */
function byRole(a: StoredServer, b: StoredServer): number {
  return Number(a.role === 'voucher') - Number(b.role === 'voucher') || (a.server < b.server ? -1 : 1)
}
