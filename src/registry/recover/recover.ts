import { copyFile, mkdir, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { activeLog, encodeBase64, parseEvent, type NoteSigner, type TrustRoot } from 'countersign/core'
import { exists, openStandingKeys, type StandingKeys } from '../../log/keys.js'
import { readNewestRoot } from '../../log/root-notes.js'
import { writeRollback } from '../../log/rollback.js'
import { vkeyOf } from '../../log/root.js'
import type { Outside } from '../../net/outside.js'
import type { Store } from '../../storage/store.js'
import { syncFolder } from '../../storage/sync-folder.js'
import { OperatorError } from '../errors.js'
import { isSigned, signaturesOf } from '../root/describe.js'
import {
  formatDraft,
  parseDraft,
  readDraft,
  readText,
  replaceFile,
  writeNew,
  type RootDraft,
} from '../root/files.js'
import { previousFileOf } from '../root/sign.js'
import { assertImported } from '../siblings.js'
import type { Terminal } from '../terminal.js'
import { readEnding, type Ending } from './ending.js'
import { openJournal, type RecoveryJournal, type RecoveryPlan } from './journal.js'
import { findLosses } from './losses.js'
import { logFileName, type RecoveryPlaces } from './places.js'
import { openSuccessorKey, openSuccessorRoot, readSuccessorKey, settlePlan } from './plan.js'
import { mergeRoots, readRootFiles } from './roots.js'
import { openStopped, putInPlace } from './source.js'
import { succeed } from './succeed.js'

export interface RecoverRequest {
  readonly places: RecoveryPlaces
  /** A backup that becomes the database; absent: the database that is there. */
  readonly from?: string | undefined
  /** Files of trust roots that are newer than the backup. */
  readonly knownRoots?: readonly string[]
  /** The trust root that a run before has drafted, signed. */
  readonly root?: string | undefined
  /** Where a draft goes that offline keys must sign. */
  readonly out?: string | undefined
  /** How witnesses are asked what they know. */
  readonly outside?: Outside | undefined
  /** POSIX milliseconds. */
  readonly now: number
}

/** The log that ended, and the one that goes on. */
export interface Recovered {
  readonly frozen: RecoveryPlan['frozen']
  readonly origin: string
  readonly vkey: string
}

interface Run extends RecoverRequest {
  readonly journal: RecoveryJournal
  readonly terminal: Terminal
  readonly keys: StandingKeys
  readonly store: Store
}

/**
 * Ends the log where the database ends and begins its successor under the next trust root. Each step may be
 * interrupted, and the next run goes on there: the backup in place, the plan and the new key, the signatures, one
 * transaction, the key files, the rollback file.
 *
 * Throws OperatorError `recovery-unsigned` when it has written a draft that offline root keys must sign first.
 */
export async function recover(request: RecoverRequest, terminal: Terminal): Promise<Recovered> {
  const { places, from } = request
  const journal = openJournal(places.journal)
  const keys = await openStandingKeys(places.keys)
  if (from !== undefined) {
    if (places.database.engine !== 'sqlite') throw noBackupFile()
    const agreeTo = async (incoming: Store, known: readonly string[]): Promise<void> => {
      const run = { ...request, journal, terminal, keys, store: incoming }
      await agree(run, await readEnding(incoming, keys, await withGiven(known, run)))
    }
    await putInPlace(from, places, journal, { terminal, agree: agreeTo })
  }
  const store = await openStopped(places.database)
  try {
    await assertImported(store)
    const run = { ...request, journal, terminal, keys, store }
    const done = await readFinished(store, journal)
    if (done !== undefined) {
      // A run that died while it removed this has left some of it.
      await journal.remove()
      return done
    }
    const plan = (await committedPlan(run)) ?? (await commitSuccession(run))
    return await adopt(run, plan)
  } finally {
    await store.close()
  }
}

/** A file cannot take the place of a database that a server has. */
function noBackupFile(): OperatorError {
  return new OperatorError(
    'engine',
    'a database of PostgreSQL is put back by its own tools, or by `countersign-registry import` into an empty one; ' +
      'then run `countersign-registry recover` without --from',
  )
}

/** A successor that nothing was logged in yet is what a recovery leaves: run again, it has nothing to do. */
async function readFinished(store: Store, journal: RecoveryJournal): Promise<Recovered | undefined> {
  const state = await store.readLogState()
  const ended = (await store.readFrozenLogs()).at(-1)
  if (state === undefined || ended === undefined || (await journal.readPlan()) !== undefined) return undefined
  const batch = (await store.readEntries(0, Math.min(state.size, 1024))).map((leaf) => parseEvent(leaf))
  const isUntouched = batch.findIndex(({ t }) => t === 'snapshot') === state.size - 1
  if (!isUntouched || state.publishedSize > 0) return undefined
  const { origin, size, root } = ended
  const vkey = (await readNewestRoot(store)).logs.at(-1)?.vkey ?? ''
  return { frozen: { origin, size, root: encodeBase64(root) }, origin: state.origin, vkey }
}

/** The plan of a run that was interrupted after its transaction. */
async function committedPlan({ store, journal }: Run): Promise<RecoveryPlan | undefined> {
  const plan = await journal.readPlan()
  const state = await store.readLogState()
  return plan !== undefined && plan.origin === state?.origin ? plan : undefined
}

async function commitSuccession(run: Run): Promise<RecoveryPlan> {
  const { store, keys, journal, places, now } = run
  const known = await withGiven(await journal.readRoots(), run)
  const ending = await readEnding(store, keys, known)
  const successor = (origin: string): Promise<NoteSigner> => openSuccessorKey(origin, places, journal)
  const isAgreed = ((await journal.readPlan()) ?? (await journal.readSource())) !== undefined
  if (!isAgreed) await agree(run, ending)
  // What was given once, and fits, need not be given to the next run.
  if (known.length > 0) await journal.writeRoots(known)
  const plan = await settlePlan(ending, successor, journal, now)
  const log = await successor(plan.origin)
  const root = await signedRoot(run, ending, plan, log)
  await succeed(store, ending, plan, root, { ...keys, origin: log.name, log })
  return plan
}

async function withGiven(known: readonly string[], { knownRoots = [] }: Run): Promise<readonly string[]> {
  return mergeRoots(known, await readRootFiles(knownRoots))
}

/** Says what ends and what is lost by it, before anything is decided. */
async function agree({ store, places, outside, terminal }: Run, ending: Ending): Promise<void> {
  const { origin, size, identity } = ending.state
  const losses = await findLosses(store, ending, { rollbackFile: places.rollbackFile(identity), outside })
  for (const line of [...losses, ...(await strangers(places.keys))]) terminal.tell(`! ${line}`)
  if (losses.length === 0) terminal.tell(NOTHING_LOST)
  await terminal.confirm(`End ${origin} at ${size} entries for good, and begin its successor?`)
}

/** What root writes, the registry's own user cannot read, and its rollback file is another one. */
async function strangers(keys: string): Promise<string[]> {
  const { uid } = await stat(keys)
  if (process.getuid === undefined || process.getuid() === uid) return []
  return [`${keys} belongs to another user: run this as the user that the registry runs as`]
}

const NOTHING_LOST =
  'Nobody who was asked knows more of this log than the database. Unless its key is stolen or lost there is nothing to recover: start the registry.'

/** By the root key of this machine where that is enough, else by those who were asked with a draft. */
async function signedRoot(run: Run, ending: Ending, plan: RecoveryPlan, log: NoteSigner): Promise<TrustRoot> {
  const { root: file, keys } = run
  if (file !== undefined) return openSuccessorRoot(await readText(file), ending, plan, log)
  const own = keys.root === undefined ? [] : [keys.root.sign(plan.rootText)]
  const asked = await readAsked(run, ending, plan)
  const draft = formatDraft(plan.rootText, [...new Set([...own, ...(asked?.lines ?? [])])])
  if (isSigned(signaturesOf(parseDraft(draft), ending.root))) {
    return openSuccessorRoot(draft, ending, plan, log)
  }
  return askForSignatures(run, ending, asked === undefined ? draft : undefined)
}

function draftFileOf({ out, places }: Run, { root }: Ending): string {
  // By its version: what people have signed for an earlier recovery stays where it is.
  return out ?? join(places.dataDir, `recovery-root-${root.version + 1}.note`)
}

/** The draft of a run before, with whatever signatures it has by now. */
async function readAsked(run: Run, ending: Ending, plan: RecoveryPlan): Promise<RootDraft | undefined> {
  const file = draftFileOf(run, ending)
  if (!(await exists(file)) || !(await readText(file)).startsWith(`${plan.rootText}\n`)) return undefined
  return readDraft(file)
}

async function askForSignatures(run: Run, ending: Ending, draft: string | undefined): Promise<never> {
  const { root } = ending
  const file = draftFileOf(run, ending)
  if (draft !== undefined) await writeNew(file, draft)
  await replaceFile(previousFileOf(file), root.note)
  const message = [
    `The new trust root needs signatures that cannot be made here. It is in ${file}; keep the registry stopped,`,
    `have it signed (countersign-registry root sign ${file} --key FILE), and then run`,
    `countersign-registry recover --root ${file}`,
  ].join('\n')
  throw new OperatorError('recovery-unsigned', message)
}

/** The database has the successor: now the key files and the memory outside follow, in an order that can be repeated. */
async function adopt(run: Run, plan: RecoveryPlan): Promise<Recovered> {
  const { store, places, journal } = run
  const isWaiting = places.logKeyFile === undefined && (await exists(journal.keyFile))
  // A run that died may have moved it to its place already.
  const file = places.logKeyFile ?? (isWaiting ? journal.keyFile : join(places.keys, 'log.key'))
  const log = await readSuccessorKey(file, activeLog(await readNewestRoot(store)).key)
  if (isWaiting) await swapKeys(places, plan, journal.keyFile)
  const state = await store.readLogState()
  if (state === undefined) throw new OperatorError('recovery-source', 'the database has lost its log')
  await keepRollback(places, plan)
  await writeRollback(places.rollbackFile(plan.identity), state.note)
  await journal.remove()
  return { frozen: plan.frozen, origin: plan.origin, vkey: vkeyOf(log.key) }
}

async function swapKeys(places: RecoveryPlaces, { frozen }: RecoveryPlan, keyFile: string): Promise<void> {
  const active = join(places.keys, 'log.key')
  const retired = join(places.keys, 'retired')
  await mkdir(retired, { recursive: true, mode: 0o700 })
  if (await exists(active)) await rename(active, join(retired, `${logFileName(frozen.origin)}.key`))
  await rename(keyFile, active)
  await syncFolder(retired)
  await syncFolder(places.keys)
}

/** The newest checkpoint of the log that ended: the only trace of what was beyond its end. */
async function keepRollback({ replaced, rollbackFile }: RecoveryPlaces, plan: RecoveryPlan): Promise<void> {
  const file = rollbackFile(plan.identity)
  const kept = join(replaced, `${logFileName(plan.frozen.origin)}.rollback`)
  if (!(await exists(file)) || (await exists(kept))) return
  await mkdir(dirname(kept), { recursive: true, mode: 0o700 })
  await copyFile(file, `${kept}.tmp`)
  await rename(`${kept}.tmp`, kept)
}
