import { setImmediate } from 'node:timers/promises'
import {
  equalBytes,
  leafHash,
  openCheckpoint,
  parseEvent,
  utf8Bytes,
  type Checkpoint,
  type LogEvent,
  type PinnedLog,
} from 'countersign/core'
import type { CheckpointRow, Store } from '../../storage/store.js'
import type { History } from './history.js'
import { refusable } from './refusable.js'
import type { CheckReport } from './report.js'
import { openRebuilt, type Rebuilt } from './tiles.js'

/** One log, and what the database says its tree is. */
export interface LogToCheck {
  readonly origin: string
  readonly base: number
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
  readonly pinned: PinnedLog | undefined
  /** The number of a frozen log. */
  readonly log?: number
  readonly published?: { readonly size: number; readonly note: string }
}

const PAGE = 1024

/** Makes the tree again from the entries and compares everything that was derived from it, page by page. */
export async function checkTree(
  store: Store,
  log: LogToCheck,
  history: History,
  report: CheckReport,
): Promise<void> {
  const { origin, base, size } = log
  const rebuilt = openRebuilt(origin, tileReader(store, log), report)
  let checkpoints = 0
  checkPublished(log, rebuilt, 0, report)
  for (let from = 0; from < size; from += PAGE) {
    const page = await readPage(store, log, from, Math.min(from + PAGE, size))
    if (page.entries.length < Math.min(PAGE, size - from)) {
      report.fault('entry-missing', { origin, index: from + page.entries.length })
      return
    }
    for (const [i, entry] of page.entries.entries()) {
      const index = from + i
      const event = checkEntry(log, { entry, index, hash: page.hashes[i] }, rebuilt, report)
      checkSigned(log, event, page.checkpoints.get(index + 1), { size: index + 1, rebuilt }, report)
      if (event !== undefined) await history.entry(event, { origin, base, index })
    }
    checkpoints += page.checkpoints.size
    await rebuilt.compareFull()
    report.progress({ step: 'entries', of: origin, done: from + page.entries.length, total: size })
    await setImmediate()
  }
  const tiles = await rebuilt.compareRest()
  await checkEnd(store, log, rebuilt, report)
  report.checked({ origin, base, size, tiles, checkpoints })
}

interface Page {
  readonly entries: readonly string[]
  readonly hashes: readonly Uint8Array[]
  /** By size. */
  readonly checkpoints: ReadonlyMap<number, CheckpointRow>
}

async function readPage(store: Store, { log }: LogToCheck, from: number, to: number): Promise<Page> {
  const [entries, hashes, checkpoints] = await Promise.all([
    log === undefined ? store.readEntries(from, to) : store.readFrozenEntries(log, from, to),
    store.readLeafHashes(from, to, log),
    store.readCheckpoints(from, to - from, log),
  ])
  const within = checkpoints.filter(({ size }) => size <= to)
  return { entries, hashes, checkpoints: new Map(within.map((row) => [row.size, row])) }
}

function tileReader(store: Store, { log }: LogToCheck) {
  return (level: number, n: number): Promise<Uint8Array | undefined> =>
    log === undefined ? store.readTile(level, n) : store.readFrozenTile(log, level, n)
}

interface StoredEntry {
  readonly entry: string
  readonly index: number
  readonly hash: Uint8Array | undefined
}

function checkEntry(
  { origin }: LogToCheck,
  { entry, index, hash }: StoredEntry,
  rebuilt: Rebuilt,
  report: CheckReport,
): LogEvent | undefined {
  const own = leafHash(utf8Bytes(entry))
  rebuilt.append(own)
  if (hash === undefined || !equalBytes(hash, own)) report.fault('leaf-hash-mismatch', { origin, index })
  const event = refusable(() => parseEvent(entry))
  if (event === undefined) report.fault('entry-invalid', { origin, index })
  return event
}

/** Each batch ends with a snapshot and a checkpoint, and nothing else has one. */
function checkSigned(
  log: LogToCheck,
  event: LogEvent | undefined,
  row: CheckpointRow | undefined,
  { size, rebuilt }: { readonly size: number; readonly rebuilt: Rebuilt },
  report: CheckReport,
): void {
  const { origin } = log
  if (row === undefined) {
    if (event?.t === 'snapshot' || size === log.size) report.fault('checkpoint-missing', { origin, size })
    return
  }
  if (event?.t !== 'snapshot') report.fault('snapshot-invalid', { origin, index: size - 1 })
  const same = equalBytes(row.root, rebuilt.root()) && isOf(log, row.note, size, row.root)
  if (!same) report.fault('checkpoint-invalid', { origin, size })
  checkPublished(log, rebuilt, size, report)
}

/** The note that hosts were shown: of a tree that is in this log. */
function checkPublished(log: LogToCheck, rebuilt: Rebuilt, size: number, report: CheckReport): void {
  if (log.published?.size !== size) return
  if (!isOf(log, log.published.note, size, rebuilt.root()))
    report.fault('checkpoint-invalid', { origin: log.origin, size })
}

async function checkEnd(store: Store, log: LogToCheck, rebuilt: Rebuilt, report: CheckReport): Promise<void> {
  const { origin, size } = log
  const root = rebuilt.root()
  if (!equalBytes(root, log.root)) report.fault('root-mismatch', { origin, size })
  if (!isOf(log, log.note, size, root)) report.fault('checkpoint-invalid', { origin, size })
  const [surplus, later] = await Promise.all([
    readPage(store, log, size, size + 1),
    store.readCheckpoints(size, 1, log.log),
  ])
  if (surplus.entries.length > 0) report.fault('entry-surplus', { origin, index: size })
  if (later.length > 0) report.fault('checkpoint-invalid', { origin, size: later[0]?.size ?? size })
}

function isOf({ pinned }: LogToCheck, note: string, size: number, root: Uint8Array): boolean {
  if (pinned === undefined) return false
  const found: Checkpoint | undefined = refusable(() => openCheckpoint(note, pinned).checkpoint)
  return found?.size === size && equalBytes(found.root, root)
}
