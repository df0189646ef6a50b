import type { Logger } from 'pino'
import {
  parseNote,
  rootFingerprint,
  rootNoteDigest,
  utf8Bytes,
  type Digest,
  type TrustRoot,
} from 'countersign/core'
import type { Outside } from '../net/outside.js'
import type { ManifestRow, Store } from '../storage/store.js'
import { makeBundle } from './bundle.js'
import type { Candidate, Logged } from './candidate.js'
import { LedgerFatal } from './errors.js'
import { emptyState, pinnedLog, readHead, signCheckpoint, type LogHead } from './head.js'
import type { RegistryKeys } from './keys.js'
import { openPublisher, type Published, type Publisher } from './publisher.js'
import { readConsistency, readInclusion, readPublicTile, readRevocations } from './reads.js'
import { assertNoRollback } from './rollback.js'
import { assertFirstRoot, formatFirstRoot, FRESHNESS, rootReader, type RootPeople } from './root.js'
import { Sequencer } from './sequencer.js'

export type { Candidate, Logged } from './candidate.js'
export { LedgerBusy, LedgerClosed, LedgerFatal, LedgerRefusal, type RefusalCode } from './errors.js'

/** The registry's log: the only authority on what was published, approved and revoked, and in which order. */
export interface Ledger {
  readonly identity: string
  readonly origin: string
  /** SHA-256 of the text of trust root version 1, for ever. */
  readonly fingerprint: Digest
  /**
   * Committed, published, then resolved. Rejects with LedgerRefusal when the candidate is refused, LedgerBusy when too
   * many wait, LedgerClosed, LedgerFatal, or with what the candidate itself threw.
   */
  submit(candidate: Candidate): Promise<Logged>
  /** The current status, as finished bytes. */
  statusDocument(): Uint8Array
  publishedSize(): number
  publishedNote(): string
  /** Made at the published checkpoint, once; the same bytes ever after. */
  bundleFor(row: ManifestRow): Promise<Uint8Array>
  inclusionProof(index: number, size: number): Promise<string[]>
  consistencyProof(from: number, to: number): Promise<string[]>
  /** By C2SP path below `/log/`, within the published size. */
  tile(path: string): Promise<Uint8Array | undefined>
  rootNote(version: number | 'latest'): string | undefined
  /** The newest published trust root. */
  trustRoot(): TrustRoot
  revocationList(rootHex: string): Promise<Uint8Array | undefined>
  /** Waits for what was submitted. Does not close the store. */
  close(): Promise<void>
}

export interface LedgerOptions {
  readonly store: Store
  readonly keys: RegistryKeys
  /** What the operator expects; anything else in keys or database stops the start. */
  readonly identity?: string
  /** Who the first trust root names; later only to be compared with it. */
  readonly people?: RootPeople
  readonly rollbackFile: string
  readonly log: Logger
  /** POSIX milliseconds; used for cosignatures and the first root's expiry alone. */
  readonly now?: () => number
  /** An unchanged tree is cosigned again at least this often. */
  readonly refreshSeconds?: number
  readonly batchLimit?: number
  readonly queueLimit?: number
  /** How witnesses are reached; without it none is asked. */
  readonly outside?: Outside
  /** How long a submission waits for the quorum before it resolves as committed only. Default 5000. */
  readonly publishWaitMs?: number
  /** For one request to one witness. Default 3000. */
  readonly witnessTimeoutMs?: number
  /** Told once, when the log has stopped for good. */
  readonly onFatal?: (error: LedgerFatal) => void
}

/**
 * Opens the log: identity, the head as the database and the rollback file have it, the first root on a fresh log, one
 * publication, and the clock that keeps the status fresh.
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  assertIdentity(options)
  const now = options.now ?? Date.now
  const head = await openHead(options)
  const publisher = openPublisher({ ...options, now })
  const sequencer = openSequencer(options, head, publisher)
  if (head.size === 0) await sequencer.submit(firstRoot(options, now()))
  else await resume(sequencer, publisher, options)
  const clock = keepFresh(sequencer, options)
  return faceOf(options, sequencer, publisher, clock)
}

function assertIdentity({ keys, identity }: LedgerOptions): void {
  if (identity === undefined || identity === keys.identity) return
  const detail = { expected: identity, found: keys.identity }
  throw new LedgerFatal('identity-mismatch', `these are the keys of ${keys.identity}`, detail)
}

/** The head of the log, created empty where there is none; refused when anything knows a newer or another one. */
async function openHead({ store, keys, rollbackFile, log }: LedgerOptions): Promise<LogHead> {
  const state = (await store.readLogState()) ?? emptyState(keys)
  const tree = { size: state.size, root: state.root, readTile: store.readTile.bind(store) }
  const memory = await assertNoRollback(rollbackFile, pinnedLog(keys), tree)
  if (memory === 'unknown' && state.size > 0) {
    log.warn(
      { file: rollbackFile, size: state.size },
      'no rollback file: a restored backup would not be noticed',
    )
  }
  if ((await store.readLogState()) === undefined) await store.initLog(state)
  return readHead(store, keys)
}

function openSequencer(options: LedgerOptions, head: LogHead, publisher: Publisher): Sequencer {
  const { store, keys, log, batchLimit = 256, queueLimit = 1024 } = options
  return new Sequencer({
    ...{ store, head, log, batchLimit, queueLimit },
    sign: (size, root) => signCheckpoint(keys, size, root),
    reload: () => readHead(store, keys),
    publish: (newest) => publisher.publish(newest),
    isPublished: ({ size }) => publisher.current()?.size === size,
    onFatal: options.onFatal ?? (() => undefined),
  })
}

/** Entry 0 of a fresh log: the trust root that hosts will pin. */
function firstRoot({ keys, people }: LedgerOptions, now: number): Candidate {
  const note = formatFirstRoot(keys, now, people)
  return {
    authorise: () => Promise.resolve(),
    event: () => ({ v: 1, t: 'root', version: 1, digest: rootNoteDigest(note) }),
    apply: (tx) => tx.putRootNote({ version: 1, note }),
  }
}

async function resume(sequencer: Sequencer, publisher: Publisher, { people }: LedgerOptions): Promise<void> {
  await sequencer.refresh()
  const first = publisher.current()?.rootNotes.get(1)
  if (people !== undefined && first !== undefined) assertFirstRoot(first, people)
}

/** Cosigns the unchanged tree again, in four fifths of the time promised. */
function keepFresh(
  sequencer: Sequencer,
  { refreshSeconds = FRESHNESS.refreshSeconds }: LedgerOptions,
): NodeJS.Timeout {
  // A refresh that failed was logged by the lane; the next one tries again, and hosts see the status grow old.
  const refresh = (): void => void sequencer.refresh().catch(() => undefined)
  return setInterval(refresh, refreshSeconds * 800).unref()
}

function faceOf(
  options: LedgerOptions,
  sequencer: Sequencer,
  publisher: Publisher,
  clock: NodeJS.Timeout,
): Ledger {
  const { store, keys } = options
  const published = (): Published => publisher.current() ?? notYet()
  const size = (): number => published().size
  const rootNote = (version: number | 'latest'): string | undefined => {
    const { rootNotes } = published()
    return rootNotes.get(version === 'latest' ? Math.max(...rootNotes.keys()) : version)
  }
  const readRoot = rootReader()
  return {
    identity: keys.identity,
    origin: keys.origin,
    fingerprint: rootFingerprint(parseNote(rootNote(1) ?? notYet()).text),
    submit: (candidate) => sequencer.submit(candidate),
    statusDocument: () => published().status,
    publishedSize: size,
    publishedNote: () => published().note,
    bundleFor: bundler(store, keys.identity, published),
    inclusionProof: (index, at) => readInclusion(store, index, at, size()),
    consistencyProof: (from, to) => readConsistency(store, from, to, size()),
    tile: (path) => readPublicTile(store, path, size()),
    rootNote,
    trustRoot: () => readRoot(rootNote('latest') ?? notYet()),
    revocationList: (rootHex) => readRevocations(store, rootHex),
    close: async () => {
      clearInterval(clock)
      await sequencer.close()
    },
  }
}

/** Bundles are made once: many hosts asking for a new one at the same time wait for the same one. */
function bundler(store: Store, identity: string, published: () => Published): Ledger['bundleFor'] {
  const making = new Map<string, Promise<Uint8Array>>()
  const make = async (row: ManifestRow): Promise<Uint8Array> => {
    const stored = await store.readBundle(row.manifest)
    if (stored !== undefined) return utf8Bytes(stored)
    const bundle = await makeBundle(store, identity, published(), row)
    await store.putBundle(row.manifest, new TextDecoder().decode(bundle), row.approveIndex)
    return bundle
  }
  return (row) => {
    const name = `${row.manifest} ${row.approveIndex ?? ''}`
    const mine = making.get(name) ?? make(row).finally(() => making.delete(name))
    making.set(name, mine)
    return mine
  }
}

function notYet(): never {
  throw new LedgerFatal('state-invalid', 'nothing is published yet')
}
