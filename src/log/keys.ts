import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
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
import { LedgerFatal } from './errors.js'

/** The registry's three keys, each for one purpose. They sign; none of them can be read out. */
export interface RegistryKeys {
  readonly identity: string
  readonly origin: string
  readonly root: NoteSigner
  readonly log: NoteSigner
  readonly timestamper: Cosigner
}

export interface KeyOptions {
  /** Chosen before the first start; by default it follows from the first root key. */
  readonly identity?: string
  /** Keeps the log key in a place of its own. */
  readonly logKeyFile?: string
}

type Purpose = 'root' | 'log' | 'timestamper'
const TYPES: Readonly<Record<Purpose, NoteKeyType>> = { root: 1, log: 1, timestamper: 4 }
const MAX_KEY_FILE_BYTES = 4096

/**
 * Opens the keys in this folder, which only their owner may read; makes them on the first start. A folder that lacks
 * one of them is refused: a new key in its place would be another registry.
 */
export async function openKeys(folder: string, options: KeyOptions = {}): Promise<RegistryKeys> {
  if (!(await exists(folder))) await createKeys(folder, options)
  const root = await readKey(join(folder, 'root.key'), TYPES.root)
  const identity = identityOf(root.key.name, options)
  const logKey = await readKey(options.logKeyFile ?? join(folder, 'log.key'), TYPES.log)
  const timestamper = await readKey(join(folder, 'timestamper.key'), TYPES.timestamper)
  assertNamed(logKey, `${identity}/log`)
  assertNamed(timestamper, `${identity}/timestamper`)
  return {
    identity,
    origin: logKey.key.name,
    root: noteSigner(root.key.name, root.signer),
    log: noteSigner(logKey.key.name, logKey.signer),
    timestamper: cosigner(timestamper.key.name, timestamper.signer),
  }
}

/** All of them appear at once, by one rename: a start that died half-way leaves no folder that looks complete. */
async function createKeys(folder: string, { identity, logKeyFile }: KeyOptions): Promise<void> {
  const draft = `${folder}.new`
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { recursive: true, mode: 0o700 })
  const rootSeed = randomBytes(32)
  const name = identity ?? registryIdentity(signerFromSeed(rootSeed).publicKey)
  await writeKey(join(draft, 'root.key'), formatPrivateKey(`${name}/root`, TYPES.root, rootSeed))
  await writeKey(join(draft, 'timestamper.key'), newKey(`${name}/timestamper`, TYPES.timestamper))
  const logKey = newKey(`${name}/log`, TYPES.log)
  if (logKeyFile === undefined) await writeKey(join(draft, 'log.key'), logKey)
  else if (!(await exists(logKeyFile))) await writeKey(logKeyFile, logKey)
  await syncFolder(draft)
  await rename(draft, folder)
  await syncFolder(dirname(folder))
}

function newKey(name: string, type: NoteKeyType): string {
  return formatPrivateKey(name, type, randomBytes(32))
}

async function writeKey(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(`${text}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await chmod(file, 0o600)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function readKey(file: string, type: NoteKeyType): Promise<NotePrivateKey> {
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
  const found = name.endsWith('/root') ? name.slice(0, -'/root'.length) : ''
  if (!isRegistryIdentity(found)) throw new LedgerFatal('key-file-unusable', 'the root key names no registry')
  if (identity !== undefined && identity !== found) {
    const message = `these are the keys of ${found}; an identity is chosen before the first start`
    throw new LedgerFatal('identity-mismatch', message, { expected: identity, found })
  }
  return found
}

function assertNamed({ key }: NotePrivateKey, name: string): void {
  if (key.name === name) return
  throw new LedgerFatal('key-mismatch', `the key of ${key.name} stands where ${name} belongs`)
}

/** Names the file, never what is in it. */
function unusable(file: string, what: string, cause?: unknown): LedgerFatal {
  return new LedgerFatal('key-file-unusable', `${file} ${what}`, { file }, { cause })
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    },
  )
}
