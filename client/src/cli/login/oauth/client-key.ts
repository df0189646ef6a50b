import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import { CountersignError, refuse } from '../../../core/index.js'
import { assertPrivate, readInput, readSecret } from '../../files.js'

type Algorithm = Parameters<typeof crypto.subtle.importKey>[2]

/** The kinds of key a client may prove itself with, and what WebCrypto calls them. */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  ed25519: { name: 'Ed25519' },
  'ec:prime256v1': { name: 'ECDSA', namedCurve: 'P-256' },
  rsa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
}

export interface ClientKeyFile {
  readonly keyFile: string
  readonly passphraseFile?: string
}

/**
 * A private key (PEM) as what proves a client to an authorization server (RFC 7523): Ed25519, P-256 or RSA.
 * @throws CountersignError `io` when it is missing or others can read it, `key-invalid`
 */
export async function openClientKey({ keyFile, passphraseFile }: ClientKeyFile): Promise<oauth.ClientAuth> {
  const bytes = readInput(keyFile, 64 * 1024)
  assertPrivate(keyFile)
  const passphrase = passphraseFile === undefined ? undefined : readSecret(passphraseFile)
  const key = parsePem(keyFile, bytes, passphrase)
  const der = key.export({ type: 'pkcs8', format: 'der' })
  const imported = await crypto.subtle.importKey('pkcs8', der, algorithmOf(keyFile, key), false, ['sign'])
  der.fill(0)
  return oauth.PrivateKeyJwt(imported)
}

function parsePem(file: string, bytes: Uint8Array, passphrase?: string): KeyObject {
  try {
    const options = passphrase === undefined ? {} : { passphrase }
    return createPrivateKey({ key: Buffer.from(bytes), format: 'pem', ...options })
  } catch {
    // What OpenSSL says is not carried on beside a secret.
    throw new CountersignError('key-invalid', `${file} is no private key, or the passphrase is not its own`, {
      file,
    })
  }
}

function algorithmOf(file: string, key: KeyObject): Algorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  const name = type === 'ec' ? `ec:${details?.namedCurve ?? ''}` : (type ?? '')
  const algorithm = Object.hasOwn(ALGORITHMS, name) ? ALGORITHMS[name] : undefined
  return (
    algorithm ?? refuse('key-invalid', `${file} is not an Ed25519, P-256 or RSA key`, { file, type: name })
  )
}

/** The public half of a key file (PEM, private or public) or of a file of JWKs, as the set a registry is given. */
export function readPublicKeys(file: string): { keys: Record<string, unknown>[] } {
  const bytes = Buffer.from(readInput(file, 64 * 1024))
  const keys = bytes.toString('utf8').trimStart().startsWith('{')
    ? readJwks(file, bytes)
    : [readPem(file, bytes)]
  for (const key of keys) {
    if ('d' in key || 'k' in key) refuse('usage', `${file} holds a private key: give its public half`)
  }
  return { keys }
}

function readJwks(file: string, bytes: Buffer): Record<string, unknown>[] {
  try {
    const value = JSON.parse(bytes.toString('utf8')) as { keys?: unknown } & Record<string, unknown>
    return Array.isArray(value.keys) ? (value.keys as Record<string, unknown>[]) : [value]
  } catch (cause) {
    throw new CountersignError('usage', `${file} is no JWK`, { file }, { cause })
  }
}

function readPem(file: string, bytes: Buffer): Record<string, unknown> {
  try {
    return { ...createPublicKey({ key: bytes, format: 'pem' }).export({ format: 'jwk' }), use: 'sig' }
  } catch {
    throw new CountersignError(
      'usage',
      `${file} is neither PEM nor JWK, or is encrypted: give its public half`,
      {
        file,
      },
    )
  }
}
