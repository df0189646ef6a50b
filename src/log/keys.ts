import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  cosigner,
  formatPrivateKey,
  isRegistryIdentity,
  noteSigner,
  parsePrivateKey,
  randomBytes,
  registryIdentity,
  signerFromSeed,
  type Cosigner,
  type NoteKeyType,
  type NotePrivateKey,
  type NoteSigner,
} from 'countersign/core'
import { openFileLock } from '../storage/file-lock.js'
import { removeLeftovers } from '../storage/leftovers.js'
import { syncFolder } from '../storage/sync-folder.js'
import { LedgerFatal } from './errors.js'

/** The registry's keys, each for one purpose. They sign; none of them can be read out. */
export interface RegistryKeys {
  readonly identity: string
  readonly origin: string
  /** Absent where the root keys are kept elsewhere. */
  readonly root?: NoteSigner
  readonly log: NoteSigner
  readonly timestamper: Cosigner
  /** The first root is made by people, in steps: no start makes another one. */
  readonly isCeremony: boolean
}

export interface KeyOptions {
  /** Chosen before the first start; by default it follows from the first root key. */
  readonly identity?: string
  /** Keeps the log key in a place of its own. */
  readonly logKeyFile?: string
}

/** How the keys of a new registry are made. */
export interface NewKeys extends KeyOptions {
  /** Raw public key of the first root key, where it is kept elsewhere: no root key is made here. */
  readonly rootKey?: Uint8Array
  /** Marks the folder: the first root comes from people. */
  readonly ceremony?: true
}

type Purpose = 'root' | 'log' | 'timestamper'
const TYPES: Readonly<Record<Purpose, NoteKeyType>> = { root: 1, log: 1, timestamper: 4 }
const MAX_KEY_FILE_BYTES = 4096
const CEREMONY = 'ceremony'

/**
 * Opens the keys in this folder, which only their owner may read; makes them on the first start. A folder that lacks
 * the log's or the timestamper's is refused: a new key in its place would be another registry. The root key may be
 * kept elsewhere.
 */
export async function openKeys(folder: string, options: KeyOptions = {}): Promise<RegistryKeys> {
  if (!(await exists(folder))) await createKeysOnce(folder, options)
  await removeDrafts(folder, options)
  const standing = await openStandingKeys(folder, options)
  const logKey = await readKey(options.logKeyFile ?? join(folder, 'log.key'), TYPES.log)
  assertLogName(logKey, standing.identity)
  return { ...standing, origin: logKey.key.name, log: noteSigner(logKey.key.name, logKey.signer) }
}

/** Private keys of starts that were killed before they gave them their place. */
async function removeDrafts(folder: string, { logKeyFile }: KeyOptions): Promise<void> {
  await removeLeftovers(folder, /^\.new-[A-Za-z0-9]{6}$/)
  if (logKeyFile !== undefined) await removeLeftovers(logKeyFile, /^\.\d+\.tmp$/)
}

/** The keys that stay when a log is succeeded by another. */
export type StandingKeys = Omit<RegistryKeys, 'origin' | 'log'>

/** All keys of this folder but the log's. */
export async function openStandingKeys(folder: string, options: KeyOptions = {}): Promise<StandingKeys> {
  const rootFile = join(folder, 'root.key')
  const root = (await exists(rootFile)) ? await readKey(rootFile, TYPES.root) : undefined
  const timestamper = await readKey(join(folder, 'timestamper.key'), TYPES.timestamper)
  const identity = identityOf(root?.key.name ?? timestamper.key.name, options)
  assertNamed(timestamper, `${identity}/timestamper`)
  return {
    identity,
    ...(root === undefined ? {} : { root: noteSigner(root.key.name, root.signer) }),
    timestamper: cosigner(timestamper.key.name, timestamper.signer),
    isCeremony: await exists(join(folder, CEREMONY)),
  }
}

/** Of several processes that start at once over one folder, one makes the keys, and all of them use those. */
async function createKeysOnce(folder: string, options: KeyOptions): Promise<void> {
  try {
    await createKeys(folder, options)
  } catch (cause) {
    if (!isTaken(cause)) throw cause
  }
}

/**
 * Makes the keys of a new registry. All of them appear at once, by one rename: a start that died half-way leaves no
 * folder that looks complete. Rejects with `EEXIST` or `ENOTEMPTY` when another process made them meanwhile.
 */
export async function createKeys(folder: string, options: NewKeys): Promise<void> {
  const { logKeyFile } = options
  if (logKeyFile === undefined) await moveIn(await draftKeys(folder, options), folder)
  else await createKeysApart(folder, logKeyFile, options)
  await syncFolder(dirname(folder))
}

/** A log key in a place of its own belongs to the other keys: nobody else makes either of them meanwhile. */
async function createKeysApart(folder: string, logKeyFile: string, options: NewKeys): Promise<void> {
  const draft = await draftKeys(folder, options)
  const lock = openFileLock(`${folder}.lock`)
  try {
    const isMine = await lock.hold(() => {
      if (existsSync(folder)) return false
      placeOnce(join(draft, 'log.key'), logKeyFile)
      renameSync(draft, folder)
      return true
    })
    if (isMine) await syncFolder(dirname(logKeyFile))
  } finally {
    lock.close()
    await rm(draft, { recursive: true, force: true })
  }
}

/** Out of the draft to where it belongs, whole; one that is there already stays. */
function placeOnce(from: string, to: string): void {
  const draft = `${to}.${process.pid}.tmp`
  writeFileSync(draft, readFileSync(from), { mode: 0o600, flush: true })
  try {
    linkSync(draft, to)
  } catch (cause) {
    if (!isTaken(cause)) throw cause
  }
  rmSync(draft)
  rmSync(from)
}

/** A folder of its own for each who makes keys: what another one writes is never mixed in. */
async function draftKeys(folder: string, { identity, rootKey, ceremony }: NewKeys): Promise<string> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 })
  const draft = await mkdtemp(`${folder}.new-`)
  const rootSeed = randomBytes(32)
  const name = identity ?? registryIdentity(rootKey ?? signerFromSeed(rootSeed).publicKey)
  if (rootKey === undefined) {
    await writeKey(join(draft, 'root.key'), formatPrivateKey(`${name}/root`, TYPES.root, rootSeed))
  }
  await writeKey(join(draft, 'timestamper.key'), newKey(`${name}/timestamper`, TYPES.timestamper))
  await writeKey(join(draft, 'log.key'), newKey(`${name}/log`, TYPES.log))
  if (ceremony === true) await writeKey(join(draft, CEREMONY), 'The first trust root is signed by people.')
  await syncFolder(draft)
  return draft
}

async function moveIn(draft: string, folder: string): Promise<void> {
  try {
    await rename(draft, folder)
  } catch (cause) {
    await rm(draft, { recursive: true, force: true })
    throw cause
  }
}

function isTaken(cause: unknown): boolean {
  return ['EEXIST', 'ENOTEMPTY'].includes((cause as NodeJS.ErrnoException).code ?? '')
}

/** The name of the log that follows this one: `IDENTITY/log`, `IDENTITY/log-2`, and so on. */
export function successorOrigin(origin: string): string {
  const [, stem = '', number] = LOG_NAME.exec(origin) ?? []
  return `${stem}/log-${Number(number ?? 1) + 1}`
}

const LOG_NAME = /^(.+)\/log(?:-([1-9]\d{0,3}))?$/

/** The text of a new private key of a log or of a root key holder. */
export function newKey(name: string, type: NoteKeyType = 1): string {
  return formatPrivateKey(name, type, randomBytes(32))
}

/** Writes a private key where there is no file, for its owner's eyes, and waits for the disk. */
export async function writeKey(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(`${text}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await chmod(file, 0o600)
}

/** Reads a private key that only its owner may read. Throws LedgerFatal `key-file-unusable`, never naming a secret. */
export async function readKey(file: string, type: NoteKeyType = 1): Promise<NotePrivateKey> {
  await assertPrivate(file)
  const text = await readFile(file, 'utf8')
  try {
    const key = parsePrivateKey(text.trimEnd())
    if (key.key.type === type) return key
  } catch (cause) {
    throw unusable(file, 'is not a private key of a note', cause)
  }
  throw unusable(file, 'is a key for another purpose')
}

async function assertPrivate(file: string): Promise<void> {
  const { mode, size } = await stat(file).catch((cause: unknown) => {
    throw unusable(file, 'cannot be read', cause)
  })
  if (size > MAX_KEY_FILE_BYTES) throw unusable(file, 'is too large for a key')
  // Windows keeps permissions elsewhere; the mode says nothing there.
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw unusable(file, 'may be read by others: chmod 600 it, and think about who has seen it')
  }
}

function identityOf(name: string, { identity }: KeyOptions): string {
  const found = name.slice(0, name.lastIndexOf('/'))
  if (!isRegistryIdentity(found)) throw new LedgerFatal('key-file-unusable', 'the keys name no registry')
  if (identity !== undefined && identity !== found) {
    const message = `these are the keys of ${found}; an identity is chosen before the first start`
    throw new LedgerFatal('identity-mismatch', message, { expected: identity, found })
  }
  return found
}

/** The first log's key, or that of a successor: which one it is, the database says. */
function assertLogName(log: NotePrivateKey, identity: string): void {
  const [, stem, number] = LOG_NAME.exec(log.key.name) ?? []
  if (stem !== identity || number === '1') assertNamed(log, `${identity}/log`)
}

function assertNamed({ key }: NotePrivateKey, name: string): void {
  if (key.name === name) return
  throw new LedgerFatal('key-mismatch', `the key of ${key.name} stands where ${name} belongs`)
}

/** Names the file, never what is in it. */
function unusable(file: string, what: string, cause?: unknown): LedgerFatal {
  return new LedgerFatal('key-file-unusable', `${file} ${what}`, { file }, { cause })
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    },
  )
}
