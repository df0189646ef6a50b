import {
  cosigner,
  formatPrivateKey,
  formatVerifierKey,
  parsePrivateKey,
  parseText,
  randomBytes,
  refuse,
  signerFromSeed,
  type Cosigner,
  type NotePrivateKey,
} from '../core/index.js'
import { assertPrivate, createFile, readFileCapped } from '../node/files.js'

const MAX_KEY_BYTES = 4096

/** A witness's key; `save` writes a new one to its file, and does nothing for one that was there. */
export interface WitnessKey {
  readonly cosigner: Cosigner
  readonly vkey: string
  readonly isNew: boolean
  save(): Promise<void>
}

/**
 * Reads a key file: one line, a note private key of type 4, readable by its owner only. Without the file, and with a
 * name, a new key is made in memory.
 * @throws CountersignError `usage` when the name is missing or another one, `key-invalid` for another kind of key or a
 *   bad name, `io`; no message ever holds any of the key
 */
export async function openWitnessKey(file: string, name?: string): Promise<WitnessKey> {
  const bytes = await readFileCapped(file, MAX_KEY_BYTES)
  if (bytes === undefined) {
    if (name === undefined) refuse('usage', `there is no key at ${file}: --name NAME makes one`, { file })
    return makeKey(file, name)
  }
  await assertPrivate(file)
  const key = parsePrivateKey(parseText(bytes).replace(/\n$/, ''))
  if (key.key.type !== 4) refuse('key-invalid', `${file} holds no key of a witness (type 4)`, { file })
  if (name !== undefined && name !== key.key.name)
    refuse('usage', `the key at ${file} has another name`, { file, name: key.key.name })
  return { ...keyOf(key), isNew: false, save: () => Promise.resolve() }
}

function makeKey(file: string, name: string): WitnessKey {
  const seed = randomBytes(32)
  const text = formatPrivateKey(name, 4, seed)
  const signer = signerFromSeed(seed)
  seed.fill(0)
  const { key } = cosigner(name, signer)
  return { ...keyOf({ key, signer }), isNew: true, save: () => createFile(file, `${text}\n`) }
}

function keyOf({ key, signer }: NotePrivateKey): { cosigner: Cosigner; vkey: string } {
  return { cosigner: cosigner(key.name, signer), vkey: formatVerifierKey(key.name, 4, key.publicKey) }
}
