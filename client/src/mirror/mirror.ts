import type { Digest } from '../core/index.js'
import { logPrefix, STATUS_PATH, versionsPath } from '../static-api/paths.js'
import { openTrust } from '../trust.js'
import { copyPolicies, copyRevocations, draftIfNew, draftRoots, pruneLists, pruneTiles } from './documents.js'
import type { Evidence } from './evidence.js'
import { clearDrafts, type Draft } from './folder.js'
import { openLookups, type Page } from './listings.js'
import { activeOf, type MirrorPorts, type Standing } from './ports.js'
import { emptyNews, scanLogs, type News } from './scan.js'
import { copyServer, listServers, readListed, readRows, type LeftOut, type ServerWork } from './servers.js'
import { NEXT_PREFIX, readShown, statusToShow, takeStanding, type Progress } from './standing.js'
import { readState, writeAbout, writeState, type MirrorAbout, type MirrorState, type Retry } from './state.js'

/** What a run came to. */
export interface MirrorReport {
  readonly identity: string
  readonly origin: string
  /** Of the active log. */
  readonly size: number
  /** Entries over all logs, and how many of them are new here. */
  readonly entries: number
  readonly added: number
  readonly servers: number
  /** Versions of the servers that were looked at. */
  readonly versions: number
  readonly bundles: number
  /** POSIX seconds. */
  readonly attestedAt: number
  readonly freshUntil: number
  readonly independentWitnesses: number
  /** Entries that are no event this program knows. */
  readonly unread: number
  readonly leftOut: readonly LeftOut[]
}

/**
 * One run: roots, status and logs, proved as a host proves them; what the log says is new; bundles and lists of that;
 * then, at once, what readers see. Whatever ends it before leaves the mirror as it was.
 *
 * The order of the last steps is what keeps a mirror whole at every moment: first everything a status leads to, then the
 * status, then the lists that name what only this status proves.
 * @throws CountersignError a verdict of PROTOCOL 10, `registry-unreachable`, `registry-error`, `io`
 */
export async function mirrorOnce(ports: MirrorPorts, registry: string): Promise<MirrorReport> {
  // Another run may have taken the lock over since the last one: its drafts are its own.
  await ports.assertHeld()
  await clearDrafts(ports.folder.path)
  const run = await openRun(ports)
  await copyServers(run)
  const lists = await copyRevocations(ports, run.standing)
  await copyPolicies(ports, run.news.policies, run.work)
  return show(run, lists, registry)
}

interface Run {
  readonly ports: MirrorPorts
  readonly progress: Progress
  readonly before: MirrorState
  readonly work: ServerWork
  /** Servers that are to be looked at, with what the log approved of each. */
  readonly queue: Map<string, Set<Digest>>
  readonly news: News
  standing: Standing
}

async function openRun(ports: MirrorPorts): Promise<Run> {
  const state = await readState(ports.folder, openTrust(ports.trust).identity)
  const before = ports.again === true ? { ...state, end: 0, copied: {} } : state
  const progress = await openProgress(ports, before)
  const standing = await takeStanding(ports, progress)
  const retry = isSameLog(before, standing) ? before.retry : []
  const run: Run = {
    ports,
    progress,
    before,
    standing,
    work: {
      leftOut: [],
      replaced: [],
      pages: [],
      lookups: openLookups(),
      versions: new Map(),
      bundles: 0,
    },
    queue: new Map(),
    news: emptyNews(),
  }
  for (const { server, unlisted, changed } of retry) {
    enqueue(run, server, unlisted)
    for (const digest of changed) run.news.changed.add(digest)
  }
  await queueNews(run, lookedAt(run))
  if (isOther(run)) await queueAll(run)
  return run
}

async function openProgress({ folder }: MirrorPorts, before: MirrorState): Promise<Progress> {
  let state = before
  // From here on the folder is known as a mirror, however this run ends.
  await writeState(folder, state)
  return {
    state: () => state,
    async update(change) {
      state = { ...state, ...change }
      await writeState(folder, state)
    },
  }
}

/** The position up to which the lists say what the log says: a successor log may begin before the end of the one it follows. */
function lookedAt({ before, standing }: Run): number {
  const { origin, base } = activeOf(standing)
  return before.active === origin ? before.end : Math.min(before.end, base)
}

/** Other servers than last time, or another log: everything is looked at, and what holds is not fetched again. */
function isOther({ before, standing, ports }: Run): boolean {
  return !isSameLog(before, standing) || JSON.stringify(before.servers) !== JSON.stringify(ports.servers)
}

/** With another one everything is looked at afresh: what was approved beyond the end of the last one was never approved. */
function isSameLog({ active }: MirrorState, standing: Standing): boolean {
  return active === '' || active === activeOf(standing).origin
}

function endOf(standing: Standing): number {
  const { base, size } = activeOf(standing)
  return base + size
}

// -------------------------------------------------------------------------------------------- what is to be done

async function queueNews(run: Run, from: number): Promise<void> {
  const { folder } = run.ports
  const news = await scanLogs(folder, run.standing.logs, from)
  for (const [server, approved] of news.servers) enqueue(run, server, approved)
  if (news.manifests.size > 0 || news.reinstatedTools) {
    for (const server of await listServers(folder)) {
      const rows = await readRows(folder, server)
      if (news.reinstatedTools || rows.some(({ manifest }) => news.manifests.has(manifest)))
        enqueue(run, server)
    }
  }
  for (const digest of news.changed) run.news.changed.add(digest)
  for (const approved of news.servers.values()) for (const digest of approved) run.news.dropped.delete(digest)
  for (const digest of news.dropped) run.news.dropped.add(digest)
  for (const server of news.reinstatedServers) run.news.reinstatedServers.add(server)
  for (const digest of news.policies) run.news.policies.add(digest)
  run.news.reinstatedTools ||= news.reinstatedTools
  run.news.unread += news.unread
}

/** Every server the log ever named; those that are listed and not wanted any more are to go. */
async function queueAll(run: Run): Promise<void> {
  const { folder, servers } = run.ports
  const all = await scanLogs(folder, run.standing.logs, 0)
  for (const [server, approved] of all.servers) enqueue(run, server, approved)
  for (const server of await listServers(folder)) {
    enqueue(run, server)
    if (isWanted(run, server)) continue
    run.work.lookups.replace(server, [], await readListed(folder, server))
    run.work.pages.push({ path: versionsPath(server) })
  }
  for (const digest of all.dropped) run.news.dropped.add(digest)
  for (const server of servers === 'all' ? [] : servers) enqueue(run, server)
}

function isWanted({ ports: { servers } }: Run, server: string): boolean {
  return servers === 'all' || servers.includes(server)
}

function enqueue(run: Run, server: string, approved: Iterable<Digest> = []): void {
  if (!isWanted(run, server)) return
  const due = run.queue.get(server) ?? new Set()
  for (const digest of approved) due.add(digest)
  run.queue.set(server, due)
}

async function copyServers(run: Run): Promise<void> {
  const { ports, queue, news, work } = run
  const standings = { current: () => run.standing, advance: () => advance(run) }
  for (let next = first(queue); next !== undefined; next = first(queue)) {
    const [server, approved] = next
    queue.delete(server)
    ports.progress(`${server}, ${queue.size} more`)
    const isChanged = (manifest: Digest): boolean =>
      news.changed.has(manifest) || news.reinstatedTools || news.reinstatedServers.has(server)
    await copyServer(ports, standings, { server, approved, dropped: news.dropped, isChanged }, work)
    assertThere(run, server)
  }
}

/** Who asked for a server by its name is told that there is none, by every run. */
function assertThere({ ports: { servers }, work: { versions, leftOut } }: Run, server: string): void {
  if (servers === 'all' || versions.get(server) !== 0) return
  if (leftOut.some((one) => one.server === server)) return
  const said = 'nothing of this server was ever approved'
  leftOut.push({ what: server, server, code: 'unknown-server', said })
}

function first<K, V>(map: ReadonlyMap<K, V>): [K, V] | undefined {
  for (const entry of map) return entry
  return undefined
}

/** The registry went on while it was copied: its newer evidence needs its newer tree. */
async function advance(run: Run): Promise<Standing> {
  const from = endOf(run.standing)
  run.standing = await takeStanding(run.ports, run.progress)
  await queueNews(run, from)
  return run.standing
}

// ---------------------------------------------------------------------------------------------- what readers see

async function show(run: Run, lists: readonly string[], registry: string): Promise<MirrorReport> {
  const { ports, standing, progress, before, work } = run
  const { folder } = ports
  const log = activeOf(standing)
  const shown = await readShown(folder.read, standing.view.root)
  // Everything is on disk before anything is shown: a full disk ends the run here at the latest.
  const switched = [
    ...(await draftRoots(folder, standing)),
    ...(await draftIfNew(folder, `${logPrefix()}checkpoint`, standing.view.status.note)),
    ...(await draftIfNew(folder, STATUS_PATH, await statusToShow(ports, standing))),
  ]
  const listed = await draftPages(run)
  await folder.settle()
  await ports.assertHeld()
  // Before anything is gone that the mirror said it holds, and after everything it says it holds is there.
  if (!isWhole(run)) await writeAbout(folder, aboutOf(run, registry))
  if (log.prefix === NEXT_PREFIX) await folder.replaceFolder(`${NEXT_PREFIX}tile`, `${logPrefix()}tile`)
  for (const draft of switched) await draft.install()
  await folder.settle()
  for (const draft of [...work.replaced, ...listed.drafts]) await draft.install()
  for (const path of listed.gone) await folder.remove(path)
  await folder.settle()
  await pruneTiles(folder, logPrefix(), progress.state().edges, [
    log.size,
    shown?.checkpoint.size ?? log.size,
  ])
  await progress.update({
    active: log.origin,
    end: endOf(standing),
    servers: ports.servers,
    retry: retryOf(work.leftOut),
    copied: copiedOf(standing),
    edges: [...new Set([shown?.checkpoint.size ?? log.size, log.size])],
    lists: await pruneLists(folder, lists, before.lists),
  })
  if (isWhole(run)) await writeAbout(folder, aboutOf(run, registry))
  return report(run)
}

function isWhole({ ports, work }: Run): boolean {
  return ports.servers === 'all' && missingOf(work) === 0
}

function missingOf({ leftOut }: ServerWork): number {
  return leftOut.filter(({ server }) => server !== undefined).length
}

function aboutOf({ ports, standing, work }: Run, registry: string): MirrorAbout {
  const { origin, size } = activeOf(standing)
  return {
    identity: standing.view.root.identity,
    registry,
    origin,
    size,
    servers: ports.servers,
    leftOut: missingOf(work),
    at: new Date(ports.now()).toISOString(),
  }
}

function retryOf(leftOut: readonly LeftOut[]): Retry[] {
  const servers = new Set(leftOut.flatMap(({ server }) => server ?? []))
  const due = new Map(
    [...servers].map((server) => [server, { unlisted: new Set<Digest>(), changed: new Set<Digest>() }]),
  )
  for (const { server = '', unlisted, changed } of leftOut) {
    if (unlisted !== undefined) due.get(server)?.unlisted.add(unlisted)
    if (changed !== undefined) due.get(server)?.changed.add(changed)
  }
  return [...due].map(([server, { unlisted, changed }]) => ({
    server,
    unlisted: [...unlisted],
    changed: [...changed],
  }))
}

async function draftPages({ ports: { folder }, work }: Run): Promise<{ drafts: Draft[]; gone: string[] }> {
  const pages = new Map<string, Page>()
  const listed = new Map<string, readonly Evidence[]>()
  const relist = async (): Promise<typeof listed> => {
    if (listed.size > 0) return listed
    for (const server of await listServers(folder)) listed.set(server, await readListed(folder, server))
    return listed
  }
  // Look-ups first: from what is listed of a server the next run knows which of them are due.
  for await (const page of work.lookups.pages(folder, relist)) pages.set(page.path, page)
  for (const page of work.pages) pages.set(page.path, page)
  const drafts: Draft[] = []
  const gone: string[] = []
  for (const { path, bytes } of pages.values()) {
    if (bytes === undefined) gone.push(path)
    else drafts.push(...(await draftIfNew(folder, path, bytes)))
  }
  return { drafts, gone }
}

function copiedOf({ logs }: Standing): Record<string, number> {
  return Object.fromEntries(
    logs.map(({ prefix, origin, size }) => [
      `${prefix === NEXT_PREFIX ? logPrefix() : prefix} ${origin}`,
      size,
    ]),
  )
}

async function report({ ports, standing, work, before, news }: Run): Promise<MirrorReport> {
  const { root, status } = standing.view
  const { origin, size } = status.checkpoint
  const entries = endOf(standing)
  return {
    identity: root.identity,
    origin,
    size,
    entries,
    added: Math.max(0, entries - before.end),
    servers: (await listServers(ports.folder)).length,
    versions: [...work.versions.values()].reduce((sum, count) => sum + count, 0),
    bundles: work.bundles,
    attestedAt: status.attestedAt,
    freshUntil: status.attestedAt + root.freshness.maxSeconds,
    independentWitnesses: status.independentWitnesses,
    unread: news.unread,
    leftOut: work.leftOut,
  }
}
