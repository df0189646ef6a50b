import {
  CountersignError,
  decodeBase64url,
  MAX_BUNDLE_BYTES,
  parseBundle,
  parseManifest,
  type Digest,
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
  /** The version that does not hold, or the one that is not listed. */
  readonly changed?: Digest
  readonly unlisted?: Digest
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
  /** Manifests that the log took back: they are listed no more. */
  readonly dropped: ReadonlySet<Digest>
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
  const unlisted = startAgain(work, server)
  const rows = await attempt(work, { what: server, server }, () => fetchRows(ports, server))
  if (rows === undefined) return
  const found: Evidence[] = []
  for (const row of rows) {
    const evidence = await attempt(work, aboutVersion(server, row), () =>
      copyVersion(ports, standings, due, row, work),
    )
    if (evidence !== undefined) found.push(evidence)
  }
  const listed = new Set(rows.map(({ manifest }) => manifest))
  const before = await readListed(ports.folder, server)
  const hidden = await proveHidden(ports, standings.current(), server, before, ({ manifest, version }) => {
    const isFound = found.some(({ row }) => row.manifest === manifest || row.version === version)
    return !isFound && !due.dropped.has(manifest)
  })
  found.push(...hidden)
  for (const manifest of new Set([...unlisted, ...due.approved, ...hidden.map(({ row }) => row.manifest)])) {
    if (listed.has(manifest) || due.dropped.has(manifest)) continue
    const said = `the registry does not list ${manifest}, which its log approved`
    work.leftOut.push({ what: server, server, unlisted: manifest, code: 'registry-error', said })
  }
  const path = versionsPath(server)
  work.lookups.replace(server, found, before)
  work.pages.push(found.length === 0 ? { path } : { path, bytes: formatVersions(server, found) })
  work.versions.set(server, found.length)
}

/** A server can come up again while the registry goes on: what the last look left out is no news, only what it missed. */
function startAgain(work: ServerWork, server: string): Digest[] {
  const isOwn = (one: LeftOut): boolean => one.server === server
  const own = work.leftOut.filter(isOwn)
  if (own.length > 0) work.leftOut.splice(0, Infinity, ...work.leftOut.filter((one) => !isOwn(one)))
  return own.flatMap(({ unlisted }) => unlisted ?? [])
}

function aboutVersion(server: string, { version, manifest }: VersionSummary) {
  return { what: `${server}@${version}`, server, changed: manifest }
}

/** What was approved is approved for good: what is listed here stays when a registry ceases to list it, or lists it wrongly. */
async function proveHidden(
  ports: MirrorPorts,
  standing: Standing,
  server: string,
  before: readonly Evidence[],
  isHidden: (row: VersionSummary) => boolean,
): Promise<Evidence[]> {
  const found: Evidence[] = []
  for (const { row } of before) {
    const kept = isHidden(row)
      ? await ports.folder.read(bundlePath(row.manifest), MAX_BUNDLE_BYTES)
      : undefined
    const evidence = kept && (await proveKept(ports, standing, row, server, kept))
    if (evidence !== undefined) found.push(evidence)
  }
  return found
}

/** What ends the whole run: it is not about one document. */
const FATAL: ReadonlySet<string> = new Set(['io', 'equivocation', 'rollback', 'memory-locked'])

/** An answer that is the server's fault is about what was asked for; no answer, or one to come back for, is about all. */
function isFatal({ code, detail: { status } }: CountersignError): boolean {
  if (code !== 'registry-unreachable') return FATAL.has(code)
  return typeof status !== 'number' || status === 429 || status > 500
}

/** One document that does not hold does not keep the others, and every revocation, from hosts. */
export async function attempt<T>(
  work: Pick<ServerWork, 'leftOut'>,
  about: Omit<LeftOut, 'code' | 'said'>,
  run: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof CountersignError) || isFatal(error)) throw error
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
): Promise<Evidence | undefined> {
  const { folder, api } = ports
  const path = bundlePath(row.manifest)
  const kept = await folder.read(path, MAX_BUNDLE_BYTES)
  if (kept !== undefined && !isChanged(row.manifest)) {
    const evidence = await proveKept(ports, standings.current(), row, server, kept)
    if (evidence !== undefined) return evidence
  }
  const copy = async (): Promise<Evidence> => {
    const bytes = await api.fetchBundle(row.manifest)
    const standing = isAhead(bytes, standings.current()) ? await standings.advance() : standings.current()
    const evidence = await proveVersion(ports, standing, row, server, bytes)
    work.bundles += 1
    if (kept === undefined) await folder.write(path, bytes)
    else work.replaced.push(await folder.draft(path, bytes))
    return evidence
  }
  if (kept === undefined) return copy()
  // One that cannot be had does not take away what is there.
  const copied = await attempt(work, aboutVersion(server, row), copy)
  return copied ?? (await proveKept(ports, standings.current(), row, server, kept))
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

/** What the mirror lists of a server until now. */
export async function readListed(folder: Folder, server: string): Promise<Evidence[]> {
  const listed: Evidence[] = []
  for (const row of await readRows(folder, server)) {
    const bundle = await folder.read(bundlePath(row.manifest), MAX_BUNDLE_BYTES)
    const payload = bundle && holds(() => parseBundle(bundle).envelope.split('.')[1])
    const manifest = payload === undefined ? undefined : holds(() => parseManifest(decodeBase64url(payload)))
    if (manifest !== undefined) listed.push({ row, manifest })
  }
  return listed
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
