import { exists, newKey, readKey, writeKey } from '../../log/keys.js'
import { vkeyOf } from '../../log/root.js'
import { OperatorError } from '../errors.js'

/** A root key for somebody's safe: the private key in a new file, and the text that others name it by. */
export async function makeRootKey(file: string, name: string): Promise<string> {
  if (await exists(file))
    throw new OperatorError('file-exists', `${file} is there already: name another file`)
  await writeKey(file, newKey(name))
  return vkeyOf((await readKey(file)).key)
}
