import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { KeyFileError } from './errors.js'

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
  const tokenKey = await readOrMake(join(dir, 'token-signing-key.json'), makeTokenKey)
  const cookieKey = await readOrMake(join(dir, 'cookie-key'), () => randomBytes(32).toString('base64url'))
  return { tokenKey: JSON.parse(tokenKey) as JWK, cookieKeys: [cookieKey] }
}

async function makeTokenKey(): Promise<string> {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as JWK
  const kid = await calculateJwkThumbprint(jwk)
  return JSON.stringify({ ...jwk, kid, alg: 'EdDSA', use: 'sig' })
}

async function readOrMake(file: string, make: () => string | Promise<string>): Promise<string> {
  const kept = await readFile(file, 'utf8').catch(ignoreMissing)
  if (kept === undefined) {
    const made = await make()
    await writeSecret(file, made)
    return made
  }
  await assertPrivate(file)
  return kept
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  throw error
}

/** tmp + fsync + rename: after a crash there is the whole key or none. */
async function writeSecret(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await chmod(temporary, 0o600)
  await rename(temporary, file)
  await syncFolder(dirname(file))
}

async function syncFolder(dir: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(dir, 'r')
  await handle.sync().finally(() => handle.close())
}

async function assertPrivate(file: string): Promise<void> {
  if (process.platform === 'win32') return
  const { mode } = await stat(file)
  if ((mode & 0o077) === 0) return
  throw new KeyFileError(
    `${file} can be read by others: \`chmod 600\` it, and replace the key if that may have happened`,
  )
}
