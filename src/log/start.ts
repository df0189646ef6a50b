import type { Logger } from 'pino'
import {
  equalBytes,
  openCheckpoint,
  parseEvent,
  parsePolicy,
  treeRootAsync,
  type QuorumPolicy,
} from 'countersign/core'
import type { Outside } from '../net/outside.js'
import type { LogState, Store } from '../storage/store.js'
import { LedgerFatal } from './errors.js'
import { emptyState, pinnedLog, readHead, type LogHead } from './head.js'
import type { RegistryKeys } from './keys.js'
import type { Shown } from './publisher.js'
import { readRootNotes, rootsInForce } from './root-notes.js'
import { NO_WITNESSES, type RootPeople } from './root.js'
import { assertNoRollback, provedNote, writeRollback } from './rollback.js'
import { proveTree } from './status.js'
import { storedHashes } from './tiles.js'
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

/**
 * The head of the log, created empty where there is none. Before anything is signed, everybody who could know a newer
 * log than this database, or another one, is asked: the rollback file, and the witnesses of the root in force. Throws
 * LedgerFatal when one does, or when nobody can say.
 */
export async function openHead(options: StartOptions): Promise<LogHead> {
  const { store, keys, rollbackFile } = options
  const state = (await store.readLogState()) ?? emptyState(keys)
  const tree = { size: state.size, root: state.root, readTile: store.readTile.bind(store) }
  const memory = await assertNoRollback(rollbackFile, pinnedLog(keys), tree)
  if ((await store.readLogState()) === undefined) await store.initLog(state)
  const head = await readHead(store, keys)
  if (head.size === 0 && head.base > 0) {
    throw new LedgerFatal('state-invalid', 'a successor log has lost the entries it began with')
  }
  if (head.size > 0) await assertNobodyKnowsMore(head, memory, options)
  else await assertNeverBegun(head, options)
  return head
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
  const { keys, outside, witnessTimeoutMs: timeoutMs, now } = options
  const { size, root, note } = head
  if (outside === undefined) return { asked: policy.witnesses.length, answered: 0, failures: [] }
  const tree = { size, root, note }
  const said = await askWitnesses({ outside, log: pinnedLog(keys), policy, tree, timeoutMs, now })
  if (said.rollback === undefined) return said
  await keepProof(said.rollback, options)
  throw said.rollback
}

/** The next start refuses as well, when nobody answers who could prove it. */
async function keepProof(rollback: LedgerFatal, { rollbackFile, log }: StartOptions): Promise<void> {
  const note = provedNote(rollback)
  if (note === undefined) return
  await writeRollback(rollbackFile, note).catch((cause: unknown) => {
    log.error({ err: cause, file: rollbackFile }, 'what a witness proved could not be kept')
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

/** What the process before this one published: shown until something newer is. Undefined where nothing was. */
export async function restorePublished(
  store: Store,
  keys: RegistryKeys,
  { base }: LogHead,
): Promise<Shown | undefined> {
  const state = await store.readLogState()
  if (state === undefined || state.publishedSize === 0) return undefined
  const { publishedSize: size, publishedNote: note } = state
  await assertPublishedIsOurs(store, keys, state)
  const snapshot = await readSnapshot(store, size)
  const tree = await proveTree(storedHashes(store.readTile.bind(store)), { size, note, snapshot })
  return { base, size, note, rootNotes: await readRootNotes(store, { snapshot }), tree }
}

async function assertPublishedIsOurs(
  store: Store,
  keys: RegistryKeys,
  { publishedSize, publishedNote }: LogState,
): Promise<void> {
  const { checkpoint } = openCheckpoint(publishedNote, pinnedLog(keys))
  const root = await treeRootAsync(publishedSize, storedHashes(store.readTile.bind(store)))
  if (checkpoint.size !== publishedSize || !equalBytes(checkpoint.root, root)) throw damaged()
}

async function readSnapshot(store: Store, size: number): Promise<NonNullable<LogHead['snapshot']>> {
  const [leaf = ''] = await store.readEntries(size - 1, size)
  const event = parseEvent(leaf)
  if (event.t !== 'snapshot') throw damaged()
  return { leaf, event }
}

function damaged(): LedgerFatal {
  return new LedgerFatal('state-invalid', 'the published checkpoint in this database is not one of this log')
}
