import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { KeyFileError, readOrMakeSecret } from '../storage/secret-file.js'

/** Signs messages; a key of its own, so that a receiver's mistake with it says nothing about the log. */
export interface WebhookKey {
  /** `whpk_` and the base64 of the 32 raw bytes, as Standard Webhooks writes Ed25519 keys. */
  readonly publicKey: string
  sign(text: string): Buffer
}

/** Reads the key of this registry's webhooks, or makes it on the first start. Throws KeyFileError. */
export async function openWebhookKey(dir: string): Promise<WebhookKey> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const file = join(dir, 'webhook-key.pem')
  const key = readPrivateKey(file, await readOrMakeSecret(file, makePem))
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
  return {
    publicKey: `whpk_${Buffer.from(x, 'base64url').toString('base64')}`,
    sign: (text) => sign(null, Buffer.from(text, 'utf8'), key),
  }
}

function makePem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
}

function readPrivateKey(file: string, pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem)
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch {
    // What the parser says may quote the file.
  }
  throw new KeyFileError(`${file} is no Ed25519 private key`)
}
