import type { Logger } from 'pino'
import {
  decodeBase64,
  parseNote,
  rootFingerprint,
  rootNoteDigest,
  type Digest,
  type TrustRoot,
} from 'countersign/core'
import type { Outside } from '../net/outside.js'
import type { FrozenLog, ManifestRow, Store } from '../storage/store.js'
import { openBundles } from './bundle.js'
import type { Candidate, Logged } from './candidate.js'
import { Chain } from './chain.js'
import { LedgerFatal, LedgerRefusal } from './errors.js'
import { openHashes, type LogHashes } from './folded.js'
import { Follower } from './follower.js'
import { Halt } from './halt.js'
import { pinnedLog, readHead, readOwnState, signCheckpoint, type LogHead } from './head.js'
import type { RegistryKeys } from './keys.js'
import { openRevocationLists } from './lists.js'
import { publishRoot, type PublishedRoot, type PublishRootOptions } from './publish-root.js'
import { Publisher, type Published, type Witnessing } from './publisher.js'
import {
  activeTree,
  frozenTree,
  readConsistency,
  readEntryAt,
  readInclusion,
  readPublicTile,
  type TreeReads,
} from './reads.js'
import { provedNote, type RollbackMemory } from './rollback.js'
import { assertFirstRoot, formatFirstRoot, rootReader, type RootPeople } from './root.js'
import { takeReport } from './seen.js'
import { Sequencer } from './sequencer.js'
import { openHead, openMemory, readNow } from './start.js'
import { openLine } from './witness/line.js'
import { openWitnesses } from './witness/open-witnesses.js'
import type { Witnesses } from './witness/witnesses.js'

export type { Candidate, Logged } from './candidate.js'
export { LedgerBusy, LedgerClosed, LedgerFatal, LedgerRefusal, type RefusalCode } from './errors.js'
export type { PublishedRoot, PublishRootOptions } from './publish-root.js'
export type { Witnessing } from './publisher.js'

/** A committed checkpoint, with the log's signature alone. */
export interface Committed {
  readonly size: number
  readonly note: string
}

export interface LedgerLoad {
  /** Submissions that wait for a batch. */
  readonly queued: number
  /** Submissions that are committed and wait for the quorum. */
  readonly unpublished: number
  /** Batches committed since the start. */
  readonly batches: number
}

/** The registry's log: the only authority on what was published, approved and revoked, and in which order. */
export interface Ledger {
  readonly identity: string
  /** Of the active log. */
  readonly origin: string
  /** Position of the active log's entry 0: where its frozen predecessors end. */
  readonly base: number
  /** SHA-256 of the text of trust root version 1, for ever. */
  readonly fingerprint: Digest
  /**
   * Committed, published, then resolved; or committed and resolved with `published: false` when the quorum is late.
   * Rejects with LedgerRefusal when the candidate is refused, LedgerBusy when too many wait, LedgerClosed,
   * LedgerFatal, or with what the candidate itself threw.
   */
  submit(candidate: Candidate): Promise<Logged>
  /** The current status, as finished bytes. Throws LedgerFatal `not-published` while nothing is published. */
  statusDocument(): Uint8Array
  /** Of the active log: the size of its newest published checkpoint; 0 while there is none. */
  publishedSize(): number
  /** Positions below are published. */
  publishedEnd(): number
  isPublished(position: number): boolean
  publishedNote(): string
  /** Root of the published revocation list, in base64. */
  publishedRevocations(): string
  /** The newest tree of the active log that is committed for good, published or not. */
  committed(): Committed
  /** The entry at a position over all logs, committed or not yet published. */
  entryAt(position: number): Promise<string | undefined>
  /** Made at the published checkpoint, once; the same bytes ever after. Needs `isPublished(row.approveIndex)`. */
  bundleFor(row: ManifestRow): Promise<Uint8Array>
  /** Hashes in base64. `origin` names a frozen log of this identity; `out-of-range` for any other. */
  inclusionProof(index: number, size: number, origin?: string): Promise<string[]>
  consistencyProof(from: number, to: number, origin?: string): Promise<string[]>
  /** By C2SP path below the log's prefix, within the published size; of a frozen log by its number. */
  tile(path: string, frozenNumber?: number): Promise<Uint8Array | undefined>
  /** The last checkpoint of a frozen log, numbered from 1. */
  frozenNote(number: number): string | undefined
  rootNote(version: number | 'latest'): string | undefined
  /** The newest published trust root. */
  trustRoot(): TrustRoot
  /**
   * Logs the next trust root, when the witnesses it names cosign the current tree. Throws LedgerRefusal `root-invalid`,
   * `root-conflict` or `quorum-not-met`.
   */
  publishRoot(note: string, options?: PublishRootOptions): Promise<PublishedRoot>
  revocationList(rootHex: string): Promise<Uint8Array | undefined>
  /**
   * A checkpoint that somebody saw: ours or a prefix of ours, or LedgerRefusal `note-invalid`. One that our key signed
   * and our database does not hold stops the log for good, now and at the next start: LedgerRefusal `log-forked`.
   */
  seen(note: Uint8Array): Promise<void>
  witnessing(): Witnessing
  /** Why nothing is signed any more; undefined while the log goes on. */
  stopped(): LedgerFatal | undefined
  /** What waits in this process, and what it has done. */
  load(): LedgerLoad
  /**
   * When it resolves, everything that any process had published when it was called is published here as well. Resolves
   * at once on an engine of one process; rejects with StoreError when the database cannot say.
   */
  sync(): Promise<void>
  /** Calls whenever more is published here, by whichever process. What it returns ends it. */
  watch(onPublished: () => void): () => void
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
  /** An unchanged tree is cosigned again at least this often; when absent, as the trust root in force promises. */
  readonly refreshSeconds?: number
  readonly batchLimit?: number
  readonly queueLimit?: number
  /** Most submissions that are committed and wait for the quorum. Default 4096. */
  readonly unpublishedLimit?: number
  /** How witnesses are reached; without it none is asked. */
  readonly outside?: Outside
  /** Asked in place of the witnesses that are reached through `outside`. */
  readonly witnesses?: Witnesses
  /** How long a submission waits for the quorum before it resolves as committed only. Default 5000. */
  readonly publishWaitMs?: number
  /** For one request to one witness. Default 3000. */
  readonly witnessTimeoutMs?: number
  /** Told once, when the log has stopped for good. */
  readonly onFatal?: (error: LedgerFatal) => void
}

/** The options with everything that has a default. */
type Settled = LedgerOptions & { readonly now: () => number; readonly witnessTimeoutMs: number }

/** What an open log is made of. */
interface Rooms {
  readonly options: Settled
  readonly frozen: readonly FrozenLog[]
  readonly hashes: LogHashes
  readonly memory: RollbackMemory
  readonly halt: Halt
  readonly witnesses: Witnesses
  /** Gives up whatever a witness was asked. */
  readonly hangUp: () => void
  readonly publisher: Publisher
  readonly follower: Follower
  readonly sequencer: Sequencer
}

/**
 * Opens the log: identity, the head as the database, the rollback file and the witnesses have it, the first root on a
 * fresh log, and one publication. A quorum that is late does not stop the start:
 * what was published before is shown until it is there.
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const settled = { now: Date.now, witnessTimeoutMs: 3000, ...options }
  assertIdentity(settled)
  const head = await openHead(settled)
  if (head.size > 0) await readFirstRoot(settled)
  const rooms = await openRooms(settled, head)
  try {
    await begin(rooms)
    return faceOf(rooms, await readFirstRoot(settled))
  } catch (cause) {
    await closeRooms(rooms)
    throw rooms.halt.error ?? cause
  }
}

function assertIdentity({ keys, identity }: LedgerOptions): void {
  if (identity === undefined || identity === keys.identity) return
  const detail = { expected: identity, found: keys.identity }
  throw new LedgerFatal('identity-mismatch', `these are the keys of ${keys.identity}`, detail)
}

/** Entry 0 of a fresh log: the trust root that hosts will pin. Of several first starts at once, one logs it. */
function firstRoot({ keys, people, now }: Settled): Candidate {
  const note = formatFirstRoot(keys, now(), people)
  return {
    authorise: async (tx) => ((await tx.readRootNotes()).length > 0 ? { existing: 0 } : undefined),
    event: () => ({ v: 1, t: 'root', version: 1, digest: rootNoteDigest(note) }),
    apply: (tx) => tx.putRootNote({ version: 1, note }),
  }
}

async function readFirstRoot({ store, people }: Settled): Promise<string> {
  const rows = await store.readRootNotes()
  const note = rows.find(({ version }) => version === 1)?.note
  if (note === undefined)
    throw new LedgerFatal('state-invalid', 'the first trust root is not in the database')
  if (people !== undefined) assertFirstRoot(note, people, rows.at(-1)?.note)
  return note
}

async function openRooms(options: Settled, opened: LogHead): Promise<Rooms> {
  const { store, keys, log, publishWaitMs: waitMs = 5000, refreshSeconds, now } = options
  const halt = new Halt(log)
  const memory = openMemory(options)
  halt.onStop((error) => void keepProof(error, memory, log))
  const hashes = openHashes(store)
  const { witnesses, hangUp } = witnessesOf(options, hashes, halt)
  const { head, shown } = await readNow(options, opened)
  const chain = new Chain(head, store, keys)
  const sync = store.isShared ? (): Promise<void> => follower.sync() : undefined
  const publisher = new Publisher({
    ...{ store, hashes, keys, memory, witnesses, halt, log, head, shown, now, waitMs, refreshSeconds, sync },
  })
  const follower = new Follower({ store, keys, chain, adopter: publisher, halt, log })
  const sequencer = openSequencer(options, { chain, halt, publisher })
  // Told last: by then nobody is left waiting.
  if (options.onFatal !== undefined) halt.onStop(options.onFatal)
  const frozen = await store.readFrozenLogs()
  if (store.isShared) follower.start()
  return { options, frozen, hashes, halt, memory, witnesses, hangUp, publisher, follower, sequencer }
}

/** Another history that was proved is kept where the next start looks: by then nobody may be there to prove it. */
async function keepProof(error: LedgerFatal, memory: RollbackMemory, log: Logger): Promise<void> {
  const note = provedNote(error)
  if (note === undefined) return
  await memory.seal(note).catch((cause: unknown) => {
    log.error({ err: cause }, 'what proves another history could not be kept')
  })
}

/** Asked over the network; without a way there nobody is, and only a policy that asks for nobody is met. */
function witnessesOf(options: Settled, hashes: LogHashes, halt: Halt): Pick<Rooms, 'witnesses' | 'hangUp'> {
  const { keys, store, witnessTimeoutMs: timeoutMs, log, now } = options
  if (options.witnesses !== undefined) return { witnesses: options.witnesses, hangUp: () => undefined }
  if (options.outside === undefined) return { witnesses: nobody, hangUp: () => undefined }
  const { outside, hangUp } = openLine(options.outside)
  const readProof = async (from: number, to: number): Promise<Uint8Array[]> =>
    (await readConsistency(activeTree(store, hashes, to), from, to)).map(decodeBase64)
  const readCommitted = () => readOwnState(store, keys)
  const onFork = (error: LedgerFatal): void => void halt.stop(error)
  const reads = { readProof, readCommitted }
  const witnesses = openWitnesses({
    ...{ outside, log: pinnedLog(keys), ...reads, timeoutMs, logger: log, now, onFork },
  })
  return { witnesses, hangUp }
}

const nobody: Witnesses = {
  cosign: (_, { isNone }) => Promise.resolve({ lines: [], cosignatures: [], failures: [], isQuorum: isNone }),
}

function openSequencer(
  { store, keys, batchLimit = 256, queueLimit = 1024, unpublishedLimit = 4096 }: Settled,
  { chain, halt, publisher }: Pick<Rooms, 'halt' | 'publisher'> & { readonly chain: Chain },
): Sequencer {
  return new Sequencer({
    ...{ store, chain, halt, batchLimit, queueLimit, unpublishedLimit },
    sign: (size, root) => {
      // The last moment: a batch that was begun before the log was stopped is signed no more.
      if (halt.error !== undefined) throw halt.error
      return signCheckpoint(keys, size, root)
    },
    reload: () => readHead(store, keys),
    publication: publisher,
  })
}

/** The first publication of this process, as far as the quorum lets it. */
async function begin({ publisher, sequencer, halt, options }: Rooms): Promise<void> {
  const { newest } = publisher
  if (newest.size > 0) {
    await publisher.offer(newest, true)
    await publisher.settled()
  } else await sequencer.submit(firstRoot(options))
  if (halt.error !== undefined) throw halt.error
  const { size } = publisher.committed
  if (publisher.current?.size !== size)
    options.log.warn({ size }, 'the quorum is late: not all is published yet')
}

/** How long witnesses may still answer when the log is closed. */
const CLOSING_MS = 1000

async function closeRooms({ sequencer, publisher, follower, memory, hangUp }: Rooms): Promise<void> {
  await sequencer.close()
  const late = setTimeout(hangUp, CLOSING_MS).unref()
  await publisher.close()
  await follower.close()
  clearTimeout(late)
  hangUp()
  await memory.settled()
}

function faceOf(rooms: Rooms, firstNote: string): Ledger {
  const { options, publisher, follower, sequencer, witnesses, halt, memory } = rooms
  const { store, keys, now } = options
  const committed = () => publisher.committed
  const { base } = committed()
  return {
    ...{ identity: keys.identity, origin: keys.origin, base },
    fingerprint: rootFingerprint(parseNote(firstNote).text),
    ...publishedFace(rooms),
    ...readsFace(rooms),
    submit: (candidate) => sequencer.submit(candidate),
    committed: () => ({ size: committed().size, note: committed().note }),
    publishRoot: (note, how = {}) =>
      publishRoot(note, how, {
        ...{ store, witnesses, halt, now, committed },
        submit: (candidate) => sequencer.submit(candidate),
      }),
    seen: (note) => takeReport(note, { store, log: pinnedLog(keys), memory, halt }),
    witnessing: () => publisher.witnessing,
    stopped: () => halt.error,
    load: () => ({ ...sequencer.load, unpublished: publisher.waiting }),
    sync: () => (store.isShared ? follower.sync() : Promise.resolve()),
    watch: (onPublished) => publisher.watch(onPublished),
    close: () => closeRooms(rooms),
  }
}

/** What hosts can see. */
function publishedFace({ publisher, hashes, options: { store, keys } }: Rooms) {
  const published = (): Published => publisher.current ?? notYet()
  const rootNote = (version: number | 'latest'): string | undefined => {
    const { rootNotes } = published()
    return rootNotes.get(version === 'latest' ? Math.max(...rootNotes.keys()) : version)
  }
  const readRoot = rootReader()
  return {
    statusDocument: () => published().status,
    publishedSize: () => publisher.current?.size ?? 0,
    publishedEnd: () => publisher.end,
    isPublished: (position) => position < publisher.end,
    publishedNote: () => published().note,
    publishedRevocations: () => published().revocations,
    rootNote,
    trustRoot: () => readRoot(rootNote('latest') ?? notYet()),
    bundleFor: openBundles({ store, hashes, registry: keys.identity }, published),
  } satisfies Partial<Ledger>
}

/** Entries, tiles and proofs, of the active log as far as it is published, and of the frozen ones. */
function readsFace({ publisher, frozen, hashes, options: { store, keys } }: Rooms) {
  const active = (): TreeReads => activeTree(store, hashes, publisher.current?.size ?? 0)
  const frozenBy = (test: (log: FrozenLog) => boolean): TreeReads | undefined => {
    const log = frozen.find(test)
    return log === undefined ? undefined : frozenTree(store, hashes, log)
  }
  const treeOf = (origin: string = keys.origin): TreeReads =>
    origin === keys.origin ? active() : (frozenBy((log) => log.origin === origin) ?? unknownLog())
  return {
    entryAt: (position) => readEntryAt(store, frozen, position),
    inclusionProof: async (index, size, origin) => readInclusion(treeOf(origin), index, size),
    consistencyProof: async (from, to, origin) => readConsistency(treeOf(origin), from, to),
    tile: async (path, number) => {
      const tree = number === undefined ? active() : frozenBy((log) => log.number === number)
      return tree === undefined ? undefined : readPublicTile(tree, path)
    },
    frozenNote: (number) => frozen.find((log) => log.number === number)?.note,
    revocationList: openRevocationLists(store),
  } satisfies Partial<Ledger>
}

function unknownLog(): never {
  throw new LedgerRefusal('out-of-range', 'this identity has no such log')
}

function notYet(): never {
  throw new LedgerFatal('not-published', 'nothing is published yet')
}
