import { refuse, type Signer } from '../../core/index.js'
import { readKey } from '../../node/index.js'
import { defaultKeyFile, type Context } from '../context.js'
import { readSecret } from '../files.js'
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
