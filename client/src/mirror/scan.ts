import {
  CountersignError,
  formatTilePath,
  parseEntryBundle,
  parseEvent,
  refuse,
  TILE_WIDTH,
  type Digest,
  type LogEvent,
} from '../core/index.js'
import type { Folder } from './folder.js'
import type { MirroredLog } from './ports.js'
import { MAX_ENTRIES_BYTES } from './tree.js'

/** What a stretch of the log has to say about what is listed. */
export interface News {
  /** Servers an event names, with what was approved of them. */
  readonly servers: Map<string, Set<Digest>>
  /** Manifests that a decision names, without their server. */
  readonly manifests: Set<Digest>
  /** Those that were rejected or withdrawn after all: listed no more. */
  readonly dropped: Set<Digest>
  /** Manifests whose evidence grew: their bundles are made anew. */
  readonly changed: Set<Digest>
  readonly reinstatedServers: Set<string>
  /** A tool can stand in any manifest: all of them are looked at again. */
  reinstatedTools: boolean
  readonly policies: Set<Digest>
  /** Entries that are no event this program knows. */
  unread: number
}

export function emptyNews(): News {
  return {
    servers: new Map(),
    manifests: new Set(),
    dropped: new Set(),
    changed: new Set(),
    reinstatedServers: new Set(),
    reinstatedTools: false,
    policies: new Set(),
    unread: 0,
  }
}

/** Reads the entries from a position on, out of the folder, where they are proved already. */
export async function scanLogs(folder: Folder, logs: readonly MirroredLog[], from: number): Promise<News> {
  const news = emptyNews()
  for (const log of logs) {
    const first = Math.max(0, from - log.base)
    for (let n = Math.floor(first / TILE_WIDTH); n * TILE_WIDTH < log.size; n++) {
      const leaves = await readEntries(folder, log, n)
      for (const leaf of leaves.slice(Math.max(0, first - n * TILE_WIDTH))) note(news, leaf)
    }
  }
  return news
}

async function readEntries(folder: Folder, { prefix, size }: MirroredLog, n: number): Promise<Uint8Array[]> {
  const width = Math.min(TILE_WIDTH, size - n * TILE_WIDTH)
  const path = prefix + formatTilePath('entries', n, width)
  const bytes = await folder.read(path, MAX_ENTRIES_BYTES)
  return parseEntryBundle(bytes ?? refuse('io', 'entries that were copied are gone', { path }), width)
}

/** The leaf at an index of a log, out of the folder. @throws CountersignError `io` */
export async function readLeaf(
  folder: Folder,
  log: MirroredLog,
  index: number,
): Promise<Uint8Array | undefined> {
  if (index >= log.size) return undefined
  const n = Math.floor(index / TILE_WIDTH)
  return (await readEntries(folder, log, n))[index - n * TILE_WIDTH]
}

function note(news: News, leaf: Uint8Array): void {
  try {
    noteEvent(news, parseEvent(leaf))
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    news.unread += 1
  }
}

function noteEvent(news: News, event: LogEvent): void {
  switch (event.t) {
    case 'approve':
      approvedOf(news, event.server).add(event.manifest)
      news.dropped.delete(event.manifest)
      news.changed.add(event.manifest)
      news.policies.add(event.policy)
      break
    case 'publish':
      news.changed.add(event.manifest)
      break
    case 'reject':
    case 'withdraw':
    case 'deprecate':
    case 'revoke':
    case 'reinstate':
      noteDecision(news, event)
      break
    default:
  }
}

type Decision = Extract<LogEvent, { t: 'reject' | 'withdraw' | 'deprecate' | 'revoke' | 'reinstate' }>

function noteDecision(news: News, { t, target, digest, name }: Decision): void {
  const isBack = t === 'reinstate'
  if (target === 'server' && name !== undefined) {
    approvedOf(news, name)
    if (isBack) news.reinstatedServers.add(name)
  } else if (target === 'tool') news.reinstatedTools ||= isBack
  else if (digest !== undefined) {
    news.manifests.add(digest)
    if (isBack) news.changed.add(digest)
    if (t === 'reject' || t === 'withdraw') news.dropped.add(digest)
  }
}

function approvedOf({ servers }: News, server: string): Set<Digest> {
  const approved = servers.get(server) ?? new Set()
  servers.set(server, approved)
  return approved
}
