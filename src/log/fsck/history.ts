import {
  decodeBase64,
  digestOf,
  encodeBase64,
  eventTarget,
  rootNoteDigest,
  toHex,
  utf8Bytes,
  type ContinueEvent,
  type LogEvent,
  type PublishEvent,
  type RootEvent,
  type SnapshotEvent,
} from 'countersign/core'
import type { FrozenLog, Store } from '../../storage/store.js'
import type { CheckReport } from './report.js'

/** Where an entry stands. */
export interface EntryPlace {
  readonly origin: string
  readonly base: number
  readonly index: number
}

/** What follows from the entries of all logs, in their order. */
export interface History {
  /** The next entry, in log order. */
  entry(event: LogEvent, place: EntryPlace): Promise<void>
  /** The log read last has ended with this tree. */
  freeze(log: FrozenLog): void
  /** No more entries. */
  end(): void
  newestSnapshot(): SnapshotEvent | undefined
}

/** Follows roots, snapshots and successions through the logs, and asks for what each entry must have left. */
export function openHistory(store: Store, rootNotes: readonly string[], report: CheckReport): History {
  let rootVersion = 0
  let snapshot: SnapshotEvent | undefined
  let frozen: FrozenLog | undefined

  const root = ({ version, digest }: RootEvent, place: EntryPlace): void => {
    const note = rootNotes[version - 1]
    const logged = version === rootVersion + 1 && note !== undefined && rootNoteDigest(note) === digest
    if (!logged) report.fault('root-invalid', { version, ...at(place) })
    rootVersion = version
  }
  const continued = ({ origin, size, root: end }: ContinueEvent, place: EntryPlace): void => {
    const same = frozen?.origin === origin && frozen.size === size && encodeBase64(frozen.root) === end
    if (!same || place.index !== 0) report.fault('succession-invalid', at(place))
  }
  const snapped = async (event: SnapshotEvent, place: EntryPlace): Promise<void> => {
    if (event.asOf !== place.index || event.rootVersion !== rootVersion)
      report.fault('snapshot-invalid', at(place))
    const isNamed = event.revocations === snapshot?.revocations || (await named(store, event.revocations))
    if (!isNamed) report.fault('revocations-mismatch', at(place))
    snapshot = event
  }

  return {
    entry: async (event, place) => {
      if (place.index === 0 && place.base > 0 !== (event.t === 'continue'))
        report.fault('succession-invalid', at(place))
      if (event.t === 'root') root(event, place)
      else if (event.t === 'continue') continued(event, place)
      else if (event.t === 'snapshot') await snapped(event, place)
      else if (event.t === 'publish') await checkPublication(store, event, place, report)
      await checkNoted(store, event, place, report)
    },
    freeze: (log) => void (frozen = log),
    end: () => {
      if (rootVersion !== rootNotes.length) report.fault('root-invalid', { version: rootVersion + 1 })
    },
    newestSnapshot: () => snapshot,
  }
}

async function named(store: Store, root: string): Promise<boolean> {
  return (await store.readListPosition(toHex(decodeBase64(root)))) !== undefined
}

/** The version still has this manifest, and its envelope is the one that was logged last. */
async function checkPublication(store: Store, event: PublishEvent, place: EntryPlace, report: CheckReport) {
  const row = await store.readVersion(event.server, event.version)
  const isThere = row?.manifest === event.manifest
  if (!isThere) report.fault('derived-missing', at(place))
  // A later publication of the same manifest under another key replaced this one's row.
  if (!isThere || row.publishIndex !== place.base + place.index) return
  if (row.envelopeDigest !== event.envelope || digestOf(utf8Bytes(row.envelope)) !== event.envelope)
    report.fault('envelope-mismatch', at(place))
}

/** `after` is checked against this table: a row that is gone lets an outdated decision through. */
async function checkNoted(store: Store, event: LogEvent, place: EntryPlace, report: CheckReport) {
  const target = eventTarget(event)
  if (target === undefined) return
  const latest = await store.latestAbout(target)
  if (latest === undefined || latest < place.base + place.index) report.fault('derived-missing', at(place))
}

function at({ origin, index }: EntryPlace) {
  return { origin, index }
}
