import { createPrivateKey, type KeyObject } from 'node:crypto'
import {
  concatBytes,
  CountersignError,
  decodeBase64url,
  fromHex,
  randomBytes,
  refuse,
  signerFromSeed,
  type Signer,
} from '../core/index.js'
import { assertPrivate, createFile, readFileCapped } from './files.js'

const MAX_KEY_BYTES = 64 * 1024
/** PKCS #8 around an Ed25519 seed (RFC 8410 section 7). */
const PKCS8_PREFIX = fromHex('302e020100300506032b657004220420')

/**
 * Writes a private key as PKCS #8 PEM, 0600, encrypted (AES-256) when there is a passphrase. A file that is there is
 * never overwritten.
 * @throws CountersignError `key-invalid` for a seed of another length than 32 bytes, `io`
 */
export async function writeKey(file: string, seed: Uint8Array, passphrase?: string): Promise<void> {
  if (seed.length !== 32) refuse('key-invalid', 'an Ed25519 seed has 32 bytes')
  if (passphrase === '') refuse('key-invalid', 'the passphrase is empty')
  const der = concatBytes(PKCS8_PREFIX, seed)
  const key = createPrivateKey({ key: Buffer.from(der.buffer), format: 'der', type: 'pkcs8' })
  der.fill(0)
  const encrypted = passphrase !== undefined && { cipher: 'aes-256-cbc', passphrase }
  await createFile(file, key.export({ type: 'pkcs8', format: 'pem', ...encrypted }))
}

/**
 * Opens a private key file: Ed25519, PKCS #8 PEM, readable by its owner only.
 * @throws CountersignError `io` when it is missing or others can read it, `key-invalid` for another kind of key or a wrong
 *   passphrase; the message never holds any of the key
 */
export async function readKey(file: string, passphrase?: string): Promise<Signer> {
  const bytes = await readFileCapped(file, MAX_KEY_BYTES)
  if (bytes === undefined) refuse('io', `there is no key at ${file}`, { file, code: 'ENOENT' })
  await assertPrivate(file)
  const key = parsePem(file, bytes, passphrase)
  if (key.asymmetricKeyType !== 'ed25519') refuse('key-invalid', `${file} holds no Ed25519 key`, { file })
  const seed = decodeBase64url(key.export({ format: 'jwk' }).d ?? '')
  const signer = signerFromSeed(seed)
  seed.fill(0)
  return signer
}

function parsePem(file: string, bytes: Uint8Array, passphrase?: string): KeyObject {
  try {
    return createPrivateKey({
      key: Buffer.from(bytes),
      format: 'pem',
      ...(passphrase !== undefined && { passphrase }),
    })
  } catch {
    // OpenSSL's own words say nothing a person can use, and are not carried on beside a secret.
    throw new CountersignError('key-invalid', `${file} is no private key, or the passphrase is not its own`, {
      file,
    })
  }
}

/** A new key in a new file. When another process was faster, its key is the one. */
export async function makeKey(file: string): Promise<Signer> {
  const seed = randomBytes(32)
  try {
    await writeKey(file, seed)
    return signerFromSeed(seed)
  } catch (error) {
    const isThere = error instanceof CountersignError && error.detail['code'] === 'EEXIST'
    if (!isThere) throw error
    return await readKey(file)
  } finally {
    seed.fill(0)
  }
}
