import { setImmediate } from 'node:timers/promises'
import {
  eventTarget,
  fromHex,
  encodeBase64,
  parseEvent,
  parseRevocationLine,
  type LogEvent,
  type SnapshotEvent,
} from 'countersign/core'
import type { DerivedOf, DerivedRow, DerivedTable, Store } from '../../storage/store.js'
import { openRevocations, revocationTreeRoot } from '../revocations.js'
import { refusable } from './refusable.js'
import type { CheckReport } from './report.js'

const PAGE = 256

/** Most lines of revocation lists that are hashed again; of more lists than that, evenly chosen ones are. */
const MAX_LIST_LINES = 2_000_000

/** Whether an entry says what the row says. */
type Follows<T extends DerivedTable> = (row: DerivedOf<T>, event: LogEvent) => boolean

const FOLLOWS: { readonly [T in DerivedTable]: Follows<T> } = {
  namespace: ({ namespace }, event) => event.t === 'namespace' && event.namespace === namespace,
  'key-added': ({ namespace, kid, role }, event) =>
    (event.t === 'namespace' || event.t === 'key.add') &&
    event.namespace === namespace &&
    event.kid === kid &&
    role === (event.t === 'namespace' ? 'own' : event.role),
  // A key that was voided with another one names the event about that one.
  'key-ended': ({ namespace }, event) => event.t === 'key.revoke' && event.namespace === namespace,
  publication: ({ manifest, server, version, kid, envelope }, event) =>
    event.t === 'publish' &&
    event.manifest === manifest &&
    event.server === server &&
    event.version === version &&
    event.kid === kid &&
    event.envelope === envelope,
  approval: ({ manifest }, event) => event.t === 'approve' && event.manifest === manifest,
  target: ({ target }, event) => eventTarget(event) === target,
  revocation: ({ line }, event) => revokes(event, line),
  list: ({ root }, event) => event.t === 'snapshot' && event.revocations === encodeBase64(fromHex(root)),
}

const TABLES: readonly DerivedTable[] = [
  'namespace',
  'key-added',
  'key-ended',
  'publication',
  'approval',
  'target',
  'revocation',
  'list',
]

/** Every row that was derived from an entry names one that says so. */
export async function checkDerived(store: Store, report: CheckReport): Promise<void> {
  for (const table of TABLES) {
    let done = 0
    for await (const row of rowsOf(store, table)) {
      await checkRow(store, row, report)
      done++
      if (done % PAGE === 0) report.progress({ step: 'derived', of: table, done })
    }
    report.progress({ step: 'derived', of: table, done })
    report.countDerived(done)
  }
  await checkLists(store, report)
}

async function* rowsOf<T extends DerivedTable>(store: Store, table: T): AsyncGenerator<DerivedOf<T>> {
  for (let after: DerivedOf<T> | undefined; ;) {
    const page = await store.readDerived(table, PAGE, after)
    yield* page
    after = page.at(-1)
    if (after === undefined) return
    await setImmediate()
  }
}

async function checkRow(store: Store, row: DerivedRow, report: CheckReport): Promise<void> {
  const event = await readEvent(store, row.position)
  const follows = FOLLOWS[row.table] as Follows<DerivedTable>
  if (event === undefined || !follows(row, event))
    report.fault('derived-mismatch', { table: row.table, position: row.position })
}

async function readEvent(store: Store, position: number): Promise<LogEvent | undefined> {
  const leaf = await store.readLeaf(position)
  return leaf === undefined ? undefined : refusable(() => parseEvent(leaf))
}

function revokes(event: LogEvent, text: string): boolean {
  const line = refusable(() => parseRevocationLine(text))
  switch (line?.kind) {
    case undefined:
      return false
    case 'key':
      return event.t === 'key.revoke' && event.namespace === line.namespace
    case 'server':
      return event.t === 'revoke' && event.target === 'server' && event.name === line.name
    case 'manifest':
    case 'tool':
      return event.t === 'revoke' && event.target === line.kind && event.digest === line.digest
  }
}

/** Lists that snapshots named can still be given, also after lines were taken away. */
async function checkLists(store: Store, report: CheckReport): Promise<void> {
  let lines = 0
  for await (const list of rowsOf(store, 'list')) lines += (await snapshotOf(store, list))?.count ?? 0
  const stride = Math.ceil(lines / MAX_LIST_LINES)
  let i = 0
  for await (const list of rowsOf(store, 'list')) {
    if (i++ % Math.max(1, stride) === 0) await checkList(store, list, report)
  }
}

async function checkList(store: Store, list: DerivedOf<'list'>, report: CheckReport): Promise<void> {
  const snapshot = await snapshotOf(store, list)
  const tree = await openRevocations((await store.readRevocationList(list.root)) ?? [])
  const root = encodeBase64(revocationTreeRoot(tree))
  if (root !== snapshot?.revocations || tree.lines.length !== snapshot.count)
    report.fault('revocations-mismatch', { position: list.position })
}

async function snapshotOf(store: Store, { position }: DerivedOf<'list'>): Promise<SnapshotEvent | undefined> {
  const event = await readEvent(store, position)
  return event?.t === 'snapshot' ? event : undefined
}
