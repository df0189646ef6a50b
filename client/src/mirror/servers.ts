import {
  CountersignError,
  decodeBase64url,
  MAX_BUNDLE_BYTES,
  parseBundle,
  parseManifest,
  type Digest,
  type Manifest,
} from '../core/index.js'
import { MAX_LIST_BYTES, parseVersions } from '../static-api/answers.js'
import type { VersionSummary } from '../static-api/api.js'
import { bundlePath, versionsPath } from '../static-api/paths.js'
import { isAhead, proveVersion, type Evidence } from './evidence.js'
import type { Draft, Folder } from './folder.js'
import { formatVersions, type Lookups, type Page } from './listings.js'
import type { MirrorPorts, Standing } from './ports.js'

/** What was left out of the mirror, and why. */
export interface LeftOut {
  /** `NAME`, `NAME@VERSION`, or the path of a document. */
  readonly what: string
  /** Looked at again by the next run. */
  readonly server?: string
  readonly code: string
  readonly said: string
}

/** What the servers of one run come to. */
export interface ServerWork {
  readonly leftOut: LeftOut[]
  /** Bundles that take the place of others: shown after the status they are proved under. */
  readonly replaced: Draft[]
  readonly pages: Page[]
  readonly lookups: Lookups
  /** How many versions are listed, by server. */
  readonly versions: Map<string, number>
  bundles: number
}

/** What is known of a server before it is looked at. */
export interface ServerDue {
  readonly server: string
  /** Manifests that the log approved: a registry that does not list them leaves something out. */
  readonly approved: ReadonlySet<Digest>
  /** Whether the bundle in the folder may be an old one. */
  readonly isChanged: (manifest: Digest) => boolean
}

/** The standing moves when a bundle is newer than it. */
export interface Standings {
  readonly current: () => Standing
  readonly advance: () => Promise<Standing>
}

/** Copies everything hosts ask of one server. What does not hold is left out and told; the rest goes on. */
export async function copyServer(
  ports: MirrorPorts,
  standings: Standings,
  due: ServerDue,
  work: ServerWork,
): Promise<void> {
  const { server } = due
  const rows = await attempt(work, { what: server, server }, () => fetchRows(ports, server))
  if (rows === undefined) return
  const found: Evidence[] = []
  for (const row of rows) {
    const about = { what: `${server}@${row.version}`, server }
    const evidence = await attempt(work, about, () => copyVersion(ports, standings, due, row, work))
    if (evidence !== undefined) found.push(evidence)
  }
  for (const manifest of due.approved) {
    if (rows.some((row) => row.manifest === manifest)) continue
    const said = `the registry does not list ${manifest}, which its log approved`
    work.leftOut.push({ what: server, server, code: 'registry-error', said })
  }
  const path = versionsPath(server)
  work.lookups.replace(server, found, await readListed(ports.folder, server))
  work.pages.push(found.length === 0 ? { path } : { path, bytes: formatVersions(server, found) })
  work.versions.set(server, found.length)
}

/** What ends the whole run: it is not about one document. */
const FATAL: ReadonlySet<string> = new Set([
  'io',
  'registry-unreachable',
  'equivocation',
  'rollback',
  'memory-locked',
])

/** One document that does not hold does not keep the others, and every revocation, from hosts. */
export async function attempt<T>(
  work: Pick<ServerWork, 'leftOut'>,
  about: Pick<LeftOut, 'what' | 'server'>,
  run: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof CountersignError) || FATAL.has(error.code)) throw error
    work.leftOut.push({ ...about, code: error.code, said: error.message })
    return undefined
  }
}

const PUBLIC: ReadonlySet<string> = new Set(['approved', 'deprecated', 'revoked'])

async function fetchRows({ read }: MirrorPorts, server: string): Promise<VersionSummary[]> {
  const bytes = await read(versionsPath(server), MAX_LIST_BYTES)
  return bytes === undefined ? [] : parseVersions(bytes).filter(({ status }) => PUBLIC.has(status))
}

async function copyVersion(
  ports: MirrorPorts,
  standings: Standings,
  { server, isChanged }: ServerDue,
  row: VersionSummary,
  work: ServerWork,
): Promise<Evidence> {
  const { folder, api } = ports
  const path = bundlePath(row.manifest)
  const kept = await folder.read(path, MAX_BUNDLE_BYTES)
  if (kept !== undefined && !isChanged(row.manifest)) {
    const evidence = await proveKept(ports, standings.current(), row, server, kept)
    if (evidence !== undefined) return evidence
  }
  const bytes = await api.fetchBundle(row.manifest)
  const standing = isAhead(bytes, standings.current()) ? await standings.advance() : standings.current()
  const evidence = await proveVersion(ports, standing, row, server, bytes)
  work.bundles += 1
  if (kept === undefined) await folder.write(path, bytes)
  else work.replaced.push(await folder.draft(path, bytes))
  return evidence
}

/** Undefined when what is in the folder is damaged, or no longer enough. */
async function proveKept(
  ports: MirrorPorts,
  standing: Standing,
  row: VersionSummary,
  server: string,
  kept: Uint8Array,
): Promise<Evidence | undefined> {
  try {
    return await proveVersion(ports, standing, row, server, kept)
  } catch (error) {
    if (error instanceof CountersignError && error.code !== 'io') return undefined
    throw error
  }
}

/** The manifests that the mirror lists of a server until now. */
export async function readListed(folder: Folder, server: string): Promise<Manifest[]> {
  const manifests: Manifest[] = []
  for (const { manifest } of await readRows(folder, server)) {
    const bundle = await folder.read(bundlePath(manifest), MAX_BUNDLE_BYTES)
    const payload = bundle && holds(() => parseBundle(bundle).envelope.split('.')[1])
    const read = payload === undefined ? undefined : holds(() => parseManifest(decodeBase64url(payload)))
    if (read !== undefined) manifests.push(read)
  }
  return manifests
}

/** The rows that the mirror lists of a server; none when the list is damaged. */
export async function readRows(folder: Folder, server: string): Promise<VersionSummary[]> {
  const bytes = await folder.read(versionsPath(server), MAX_LIST_BYTES)
  return (bytes && holds(() => parseVersions(bytes))) ?? []
}

function holds<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (error instanceof CountersignError) return undefined
    throw error
  }
}

/** Names of the servers that are listed in the folder. */
export async function listServers(folder: Folder): Promise<string[]> {
  const names: string[] = []
  for (const namespace of await folder.list('v1/servers')) {
    for (const local of await folder.list(`v1/servers/${namespace}`)) {
      const documents = await folder.list(`v1/servers/${namespace}/${local}`)
      if (documents.includes('versions')) names.push(`${namespace}/${local}`)
    }
  }
  return names
}
