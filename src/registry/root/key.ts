import { rm } from 'node:fs/promises'
import { CountersignError } from 'countersign/core'
import { exists, newKey, readKey, writeKey } from '../../log/keys.js'
import { vkeyOf } from '../../log/root.js'
import { OperatorError } from '../errors.js'

/** A root key for somebody's safe: the private key in a new file, and the text that others name it by. */
export async function makeRootKey(file: string, name: string): Promise<string> {
  if (await exists(file))
    throw new OperatorError('file-exists', `${file} is there already: name another file`)
  const text = keyNamed(name)
  await writeKey(file, text).catch((cause: unknown) => unwritten(file, cause))
  return vkeyOf((await readKey(file)).key)
}

function keyNamed(name: string): string {
  try {
    return newKey(name)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    const message = `"${name}" names no key: one word without "+", such as example.com/root-1`
    throw new OperatorError('name-invalid', message, { cause })
  }
}

/** A full disk leaves a file that is no key, and that the next try would stumble over. */
async function unwritten(file: string, cause: unknown): Promise<never> {
  const isThere = (cause as NodeJS.ErrnoException).code === 'EEXIST'
  if (!isThere) await rm(file, { force: true })
  const message = isThere ? `${file} is there already: name another file` : `${file} cannot be written`
  throw new OperatorError(isThere ? 'file-exists' : 'file-unusable', message, { cause })
}
