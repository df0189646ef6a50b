import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { wrong, type Read, type Setting } from './names.js'

const MAX_SECRET_BYTES = 4096

/**
 * A secret that the environment holds, or that stands alone in a file it names; never both. Messages name the file and
 * never what is in it.
 */
export function readSecret(text: Read, name: Setting | undefined, fileName: Setting): string | undefined {
  const said = name === undefined ? undefined : text(name)
  const file = text(fileName)
  if (file === undefined) return said
  // Which one counts would be a guess, and an old secret in the other one would go unnoticed.
  if (said !== undefined) throw wrong(fileName, `and COUNTERSIGN_${name ?? ''} are both set: leave one out`)
  return readSecretFile(resolve(file), fileName)
}

function readSecretFile(file: string, name: Setting): string {
  const secret = readPrivately(file, name).trim()
  if (secret === '') throw wrong(name, `names ${file}, which is empty`)
  if (/[\r\n]/.test(secret)) throw wrong(name, `names ${file}, which holds more than one line`)
  return secret
}

/** One open file is looked at and read: between two looks at a name it could become another one. */
function readPrivately(file: string, name: Setting): string {
  const handle = opened(file, name)
  try {
    const { mode, uid, size } = fstatSync(handle)
    if ((mode & 0o170000) !== 0o100000) throw wrong(name, `names ${file}, which is no file`)
    if (size > MAX_SECRET_BYTES) throw wrong(name, `names ${file}, which is too large for a secret`)
    if (process.platform !== 'win32' && !isPrivate({ mode, uid })) {
      throw wrong(name, `names ${file}, which others may read: chmod 600 it, and think about who has seen it`)
    }
    return readFileSync(handle, 'utf8')
  } finally {
    closeSync(handle)
  }
}

function opened(file: string, name: Setting): number {
  try {
    return openSync(file, 'r')
  } catch (cause) {
    const { code = 'unreadable' } = cause as NodeJS.ErrnoException
    throw wrong(name, `names ${file}, which cannot be read (${code})`)
  }
}

/**
 * Its owner alone may read it. A file of root's may be read by its group as well: so orchestrators hand out secrets to a
 * process that is not root.
 */
export function isPrivate({ mode, uid }: { readonly mode: number; readonly uid: number }): boolean {
  return (mode & (uid === 0 ? 0o037 : 0o077)) === 0
}

export function parseMetricsToken(text: string): string {
  if (/^[\x21-\x7e]{16,512}$/.test(text)) return text
  throw wrong('METRICS_TOKEN_FILE', 'holds one word of 16 to 512 printable ASCII characters')
}
