import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, copyFile, mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { activeLog, openTrustRoot, type TrustRoot } from 'countersign/core'
import { exists, openStandingKeys } from '../../log/keys.js'
import { StoreError } from '../../storage/errors.js'
import { hasPostgresTables } from '../../storage/dump/open.js'
import { openStore, type Place } from '../../storage/open.js'
import type { LogState, Store } from '../../storage/store.js'
import { syncFolder } from '../../storage/sync-folder.js'
import { OperatorError } from '../errors.js'
import type { Terminal } from '../terminal.js'
import type { RecoveryJournal } from './journal.js'
import type { RecoveryPlaces } from './places.js'
import { mergeRoots, walkRoots } from './roots.js'

const PARTS = ['', '-wal', '-shm'] as const

/**
 * Opens the database for one command. Throws OperatorError `not-started` where there is none (in the wrong place nothing
 * is made), and `running` while a registry has it. PostgreSQL locks nobody out: there the command is one process more,
 * and what it logs is held by the same compare-and-swap as everybody's.
 */
export async function openStopped(place: Place): Promise<Store> {
  await assertThere(place)
  return openUnlocked(place)
}

/** Throws OperatorError `not-started` where there is no registry's database. */
export async function assertThere(place: Place): Promise<void> {
  if (place.engine === 'sqlite') {
    if (await exists(place.file)) return
    throw new OperatorError('not-started', `there is no database at ${place.file}: see COUNTERSIGN_DATA_DIR`)
  }
  if (await hasPostgresTables(place.url)) return
  throw new OperatorError('not-started', 'the database holds no registry: see COUNTERSIGN_DATABASE_URL')
}

/** Makes it where there is none. */
export async function openUnlocked(place: Place): Promise<Store> {
  try {
    return await openStore(place)
  } catch (cause) {
    if (!(cause instanceof StoreError) || cause.code !== 'locked') throw cause
    throw new OperatorError('running', 'the registry is running: stop it first', { cause })
  }
}

/**
 * Puts a backup in the place of the database, once: the files that are there are moved aside, and the trust roots that
 * the backup does not know yet are kept. Throws OperatorError `recovery-source`, before anything is moved, when it is no
 * database of this registry, or from before its log was succeeded by another.
 */
export async function putInPlace(
  from: string,
  places: RecoveryPlaces,
  journal: RecoveryJournal,
  { terminal, agree }: Person,
): Promise<void> {
  const digest = await digestOfFile(from)
  if ((await journal.readSource()) === digest) return
  const { incoming, state, root } = await bring(from, places)
  const plan = await journal.readPlan()
  const standing = await readStanding(places.databaseFile, terminal)
  if (plan !== undefined && standing.state?.origin === plan.origin) throw unfit(NEARLY_DONE)
  // A run that died may have moved the database that knew them: then the one that is there is the backup.
  const known = mergeRoots(await journal.readRoots(), standing.notes)
  assertActive(state.origin, walkRoots(root, known).at(-1) ?? root)
  if (plan !== undefined) terminal.tell('! the recovery that has begun is given up: its draft is worthless')
  await agreeTo(incoming, (store) => agree(store, known))
  if (known.length > 0) await journal.writeRoots(known)
  await journal.dropPlan()
  const aside = await moveAside(places)
  if (aside !== undefined) terminal.tell(`the database that was there is now in ${aside}`)
  await rename(incoming, places.databaseFile)
  await syncFolder(dirname(places.databaseFile))
  await journal.writeSource(digest)
}

/** Whoever decides: hears what is lost, and agrees before anything is moved. */
export interface Person {
  readonly terminal: Terminal
  readonly agree: (incoming: Store, known: readonly string[]) => Promise<void>
}

const NEARLY_DONE = 'a recovery is done but for its last steps: run it again without --from'

async function agreeTo(incoming: string, agree: (store: Store) => Promise<void>): Promise<void> {
  try {
    const store = await openStopped({ engine: 'sqlite', file: incoming })
    await agree(store).finally(() => store.close())
  } catch (cause) {
    for (const part of PARTS) await rm(incoming + part, { force: true })
    throw cause
  } finally {
    await rm(`${incoming}.lock`, { force: true })
  }
}

async function digestOfFile(file: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  } catch (cause) {
    throw new OperatorError('file-unusable', `${file} cannot be read`, { cause })
  }
  return hash.digest('hex')
}

/** A copy beside the database, opened once: what a write-ahead log still held is in it, and so are the migrations. */
async function bring(from: string, places: RecoveryPlaces): Promise<Brought> {
  const incoming = `${places.databaseFile}.incoming`
  await mkdir(places.dataDir, { recursive: true, mode: 0o700 })
  for (const part of PARTS) await rm(incoming + part, { force: true })
  await copyFile(from, incoming)
  // A copy has the mode of what it was copied from; this one holds hashes of secrets.
  await chmod(incoming, 0o600)
  if (await exists(`${from}-wal`)) await copyFile(`${from}-wal`, `${incoming}-wal`)
  const { state, notes } = await readLog(incoming).catch((cause: unknown) => {
    throw new OperatorError('recovery-source', 'the backup is no database of a registry', { cause })
  })
  await rm(`${incoming}.lock`, { force: true })
  await syncFile(incoming)
  const newest = notes.at(-1)
  const { identity } = await openStandingKeys(places.keys)
  if (state === undefined || newest === undefined) throw unfit('the backup holds no log')
  if (state.identity !== identity)
    throw unfit(`the backup is of ${state.identity}, and the keys are of ${identity}`)
  return { incoming, state, root: openTrustRoot(newest) }
}

interface Brought {
  readonly incoming: string
  readonly state: LogState
  readonly root: TrustRoot
}

interface Standing {
  readonly state?: LogState | undefined
  readonly notes: readonly string[]
}

async function readLog(database: string): Promise<Standing> {
  const store = await openStopped({ engine: 'sqlite', file: database })
  try {
    const notes = (await store.readRootNotes()).map(({ note }) => note)
    return { state: await store.readLogState(), notes }
  } finally {
    await store.close()
  }
}

/** A root that froze the log already wants its successor: the backup would end it a second time, elsewhere. */
function assertActive(origin: string, newest: TrustRoot): void {
  const active = activeLog(newest).origin
  if (active !== origin)
    throw unfit(`the backup is of ${origin}, which ${active} has succeeded: take a newer one`)
}

function unfit(message: string): OperatorError {
  return new OperatorError('recovery-source', message)
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * The log and the trust roots of the database that is there. One that cannot be opened any more is why one recovers; one that is
 * open elsewhere is not.
 */
async function readStanding(database: string, terminal: Terminal): Promise<Standing> {
  if (!(await exists(database))) return { notes: [] }
  try {
    return await readLog(database)
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause
    terminal.tell(`the database that is there cannot be read: ${(cause as Error).message}`)
    return { notes: [] }
  }
}

async function moveAside({ databaseFile: database, replaced }: RecoveryPlaces): Promise<string | undefined> {
  if (!(await exists(database))) return undefined
  const folder = await freeFolder(replaced)
  for (const part of PARTS) {
    if (await exists(database + part)) await rename(database + part, join(folder, basename(database) + part))
  }
  await syncFolder(folder)
  return folder
}

/** The next number that is free. */
async function freeFolder(parent: string): Promise<string> {
  for (let n = 1; ; n++) {
    const folder = join(parent, String(n))
    if (await exists(folder)) continue
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return folder
  }
}
