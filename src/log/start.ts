import type { Logger } from 'pino'
import { parsePolicy, type QuorumPolicy } from 'countersign/core'
import type { Outside } from '../net/outside.js'
import { StoreError } from '../storage/errors.js'
import type { HeadReads, Store } from '../storage/store.js'
import { catchUp, readShown } from './catch-up.js'
import { LedgerFatal } from './errors.js'
import { assertNotHalted, tellSiblings } from './halted.js'
import { emptyState, pinnedLog, readHead, readOwnState, type LogHead } from './head.js'
import type { RegistryKeys } from './keys.js'
import type { Shown } from './publisher.js'
import { rootsInForce } from './root-notes.js'
import { NO_WITNESSES, type RootPeople } from './root.js'
import { assertNoRollback, openRollbackMemory, provedNote, type RollbackMemory } from './rollback.js'
import { askWitnesses, type Asked } from './witness/ask-witnesses.js'

export interface StartOptions {
  readonly store: Store
  readonly keys: RegistryKeys
  readonly rollbackFile: string
  /** What the first root will say: its witnesses are asked before there is one. */
  readonly people?: RootPeople
  readonly outside?: Outside
  readonly witnessTimeoutMs: number
  readonly now: () => number
  readonly log: Logger
}

type MemoryOptions = Pick<StartOptions, 'store' | 'keys' | 'rollbackFile'>

/**
 * The head of the log, created empty where there is none. Before anything is signed, everybody who could know a newer
 * log than this database, or another one, is asked: the rollback file, what siblings were shown, and the witnesses of the
 * root in force. Throws LedgerFatal when one does, or when nobody can say.
 */
export async function openHead(options: StartOptions): Promise<LogHead> {
  const { store, keys, rollbackFile } = options
  const memory = await assertNoRollback(rollbackFile, pinnedLog(keys), async () => {
    const { size, root } = (await store.readLogState()) ?? emptyState(keys)
    return { size, root, readTile: store.readTile.bind(store) }
  })
  await assertNotHalted(store, keys)
  if ((await store.readLogState()) === undefined) await initLog(options)
  const head = await readHeadNow(options)
  if (head.size === 0 && head.base > 0) {
    throw new LedgerFatal('state-invalid', 'a successor log has lost the entries it began with')
  }
  if (head.size > 0) await assertNobodyKnowsMore(head, memory, options)
  else await assertNeverBegun(head, options)
  return head
}

/** Of several first starts at once, one makes the empty log; the others find it, and read whose it is. */
async function initLog({ store, keys }: StartOptions): Promise<void> {
  await store.initLog(emptyState(keys)).catch((cause: unknown) => {
    const isThere = cause instanceof StoreError && cause.code === 'already-initialised'
    if (!store.isShared || !isThere) throw cause
  })
}

function readHeadNow({ store, keys }: Pick<StartOptions, 'store' | 'keys'>): Promise<LogHead> {
  return readAtOnce(store, (reads) => readHead(reads, keys))
}

/** Where nobody else writes, nothing moves between two reads. */
function readAtOnce<T>(store: Store, work: (reads: HeadReads) => Promise<T>): Promise<T> {
  return store.isShared ? store.readConsistently(work) : work(store)
}

async function assertNobodyKnowsMore(
  head: LogHead,
  memory: 'known' | 'unknown',
  options: StartOptions,
): Promise<void> {
  const { store, rollbackFile: file, log } = options
  const { size } = head
  const { quorum: policy } = await rootsInForce(store)(head)
  const said = await ask(head, policy, options)
  if (memory === 'known' || said.answered > 0) return
  if (said.asked > 0) throw nobodyAnswers(file, size)
  log.warn({ file, size }, 'no rollback file: a restored backup would not be noticed')
}

/**
 * An empty database may be what is left of a log that others know: its keys outlive it. Where the witnesses of the first
 * root are known, they are asked; who is late does not stop a first start, for without them nothing is published either.
 */
async function assertNeverBegun(head: LogHead, options: StartOptions): Promise<void> {
  const { people, log } = options
  const said = await ask(head, parsePolicy(people?.policy ?? NO_WITNESSES), options)
  if (said.asked === 0 || said.answered > 0) return
  log.warn({ failures: said.failures }, 'no witness can say whether this log was begun before')
}

/** What the witnesses say, unless one of them knows more: then that is thrown. */
async function ask(head: LogHead, policy: QuorumPolicy, options: StartOptions): Promise<Asked> {
  const { store, keys, outside, witnessTimeoutMs: timeoutMs, now } = options
  const { size, root, note } = head
  if (outside === undefined) return { asked: policy.witnesses.length, answered: 0, failures: [] }
  const tree = { size, root, note }
  // Others may have committed since the head was read: what a witness knows is held against the database again.
  const readCommitted = store.isShared ? () => readHeadNow(options) : undefined
  const readTile = store.readTile.bind(store)
  const log = pinnedLog(keys)
  const said = await askWitnesses({
    ...{ outside, log, policy, tree, timeoutMs, now },
    ...(readCommitted && { readCommitted, readTile }),
  })
  if (said.rollback === undefined) return said
  await keepProof(said.rollback, options)
  throw said.rollback
}

/** The next start refuses as well, when nobody answers who could prove it. */
async function keepProof(rollback: LedgerFatal, options: StartOptions): Promise<void> {
  const { log } = options
  const note = provedNote(rollback)
  if (note === undefined) return
  const memory = openMemory(options)
  await memory.seal(note).catch((cause: unknown) => {
    log.error({ err: cause, file: options.rollbackFile }, 'what a witness proved could not be kept')
  })
  await memory.settled()
}

/** The rollback file of this machine, and with siblings what they have in common. */
export function openMemory({ store, keys, rollbackFile }: MemoryOptions): RollbackMemory {
  if (!store.isShared) return openRollbackMemory(rollbackFile)
  return openRollbackMemory(rollbackFile, {
    log: pinnedLog(keys),
    readCheckpoint: (size) => store.readCheckpoint(size),
    assertGoesOn: () => readOwnState(store, keys),
    tell: (note) => tellSiblings(note, store, keys),
  })
}

function nobodyAnswers(file: string, size: number): LedgerFatal {
  const message = [
    `Nobody can say whether this database of ${size} entries is the newest: there is no rollback file at`,
    `${file}, and none of the witnesses answers.`,
    'Signing on top of an old copy would fork the log. Put the rollback file back, or start again when a witness can be',
    'reached.',
  ].join('\n')
  return new LedgerFatal('witness-unavailable', message, { file, size })
}

/** The head as it is now, and what was published before: shown until something newer is. */
export function readNow(
  { store, keys }: Pick<StartOptions, 'store' | 'keys'>,
  known: LogHead,
): Promise<{ readonly head: LogHead; readonly shown: Shown | undefined }> {
  return readAtOnce(store, async (reads) => {
    const head = store.isShared ? await catchUp(reads, known, keys) : known
    const state = await reads.readLogState()
    return { head, shown: state && (await readShown(reads, keys, head, state)) }
  })
}
