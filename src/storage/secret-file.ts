import { randomBytes } from 'node:crypto'
import { chmod, link, open, readFile, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { removeLeftovers } from './leftovers.js'
import { syncFolder } from './sync-folder.js'

/** A key file that must not be used as it is; the operator can mend it. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError'
  readonly code = 'key-file-unusable'
}

const MAX_SECRET_BYTES = 4096

/**
 * The secret in this file, which only its owner may read; made on the first start, whole or not at all.
 * @throws KeyFileError when others can read it, or when it is no file of ours
 */
export async function readOrMakeSecret(file: string, make: () => string | Promise<string>): Promise<string> {
  const kept = await stat(file).catch(ignoreMissing)
  if (kept === undefined) {
    const made = await make()
    // Another process may have been first: what stands in its file is the secret of both.
    if (await writeSecret(file, made)) return made
    if ((await stat(file).catch(ignoreMissing)) !== undefined) return readOrMakeSecret(file, make)
    throw new KeyFileError(`${file} is a link that leads nowhere`)
  }
  await removeLeftovers(file, /^\.[0-9a-f]{12}\.tmp$/)
  if (kept.size > MAX_SECRET_BYTES) throw new KeyFileError(`${file} is too large for a key`)
  // Windows keeps permissions elsewhere; the mode says nothing there.
  if (process.platform !== 'win32' && (kept.mode & 0o077) !== 0) {
    throw new KeyFileError(
      `${file} can be read by others: \`chmod 600\` it, and replace the key if that may have happened`,
    )
  }
  return readFile(file, 'utf8')
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  throw error
}

/** tmp + fsync + link: after a crash there is the whole key or none. False when there is one already. */
async function writeSecret(file: string, text: string): Promise<boolean> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  try {
    await chmod(temporary, 0o600)
    return await link(temporary, file).then(() => true, isTaken)
  } finally {
    await unlink(temporary)
    await syncFolder(dirname(file))
  }
}

function isTaken(cause: unknown): false {
  if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
  throw cause
}
