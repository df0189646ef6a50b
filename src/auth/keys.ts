import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { readOrMakeSecret } from '../storage/secret-file.js'

/**
 * What the authorization server signs with. Never printed, never logged; files of mode 0600 in the data
 * folder.
 */
export interface AuthKeys {
  /** Ed25519 private JWK of the access tokens. */
  readonly tokenKey: JWK
  readonly cookieKeys: readonly string[]
}

/** Reads the keys of the authorization server, or makes them on the first start. */
export async function openAuthKeys(dir: string): Promise<AuthKeys> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const tokenKey = await readOrMakeSecret(join(dir, 'token-signing-key.json'), makeTokenKey)
  const cookieKey = await readOrMakeSecret(join(dir, 'cookie-key'), () =>
    randomBytes(32).toString('base64url'),
  )
  return { tokenKey: JSON.parse(tokenKey) as JWK, cookieKeys: [cookieKey] }
}

async function makeTokenKey(): Promise<string> {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as JWK
  const kid = await calculateJwkThumbprint(jwk)
  return JSON.stringify({ ...jwk, kid, alg: 'EdDSA', use: 'sig' })
}
