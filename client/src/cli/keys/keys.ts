import { parsePrivateKey, refuse, type Signer } from '../../core/index.js'
import { readKey } from '../../node/index.js'
import { defaultKeyFile, type Context } from '../context.js'
import { assertPrivate, readInput, readSecret } from '../files.js'
import { existsSync } from 'node:fs'

export interface KeyOptions {
  readonly key?: string
  readonly passphraseFile?: string
}

/** The signing key that was named, or the one of the home folder. @throws CountersignError `io`, `key-invalid` */
export async function openSigner(context: Context, options: KeyOptions): Promise<Signer> {
  const file = options.key ?? defaultKeyFile(context)
  if (!existsSync(file))
    refuse('usage', `there is no key at ${file}: run \`countersign keygen\` or give --key FILE`)
  const passphrase = options.passphraseFile === undefined ? undefined : readSecret(options.passphraseFile)
  return await readKey(file, passphrase)
}

const PRIVATE_NOTE_KEY = 'PRIVATE+KEY+'
const MAX_KEY_BYTES = 64 * 1024

/** The same for signing notes: also a key in the form that root keys have. @throws CountersignError `io`, `key-invalid` */
export async function openNoteKey(context: Context, options: KeyOptions): Promise<Signer> {
  const { key: file } = options
  const isNoteKey =
    file !== undefined &&
    existsSync(file) &&
    Buffer.from(readInput(file, MAX_KEY_BYTES)).toString('latin1').startsWith(PRIVATE_NOTE_KEY)
  if (!isNoteKey) return await openSigner(context, options)
  assertPrivate(file)
  return parsePrivateKey(readSecret(file)).signer
}
