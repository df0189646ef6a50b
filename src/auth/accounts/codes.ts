import { createHash } from 'node:crypto'
import type { CodeRow, Role, Store } from '../../storage/store.js'
import { makePassword } from './passwords.js'

/** A code that was just made: told once, to the admin who hands it over. */
export interface NewCode {
  readonly code: string
  /** Milliseconds. */
  readonly expiresAt: number
}

const HOUR = 3_600_000
const LIFETIME = { invitation: 7 * 24 * HOUR, recovery: 24 * HOUR } as const

export async function createInvitation(
  store: Store,
  by: string,
  roles: readonly Role[],
  now: number,
): Promise<NewCode> {
  return putCode(store, { kind: 'invitation', roles, by, expiresAt: now + LIFETIME.invitation })
}

/** The codes before it end with this one. */
export async function createRecovery(
  store: Store,
  by: string,
  account: string,
  now: number,
): Promise<NewCode> {
  return putCode(store, { kind: 'recovery', account, by, expiresAt: now + LIFETIME.recovery })
}

async function putCode(store: Store, row: Omit<CodeRow, 'hash'>): Promise<NewCode> {
  const code = makePassword()
  await store.putCode({ ...row, hash: codeHash(code) })
  return { code, expiresAt: row.expiresAt }
}

/**
 * What is kept of a code, and looked up: 120 random bits need no salt and no slow hash. People type it, so case,
 * hyphens and blanks do not count.
 */
export function codeHash(code: string): string {
  const letters = code.slice(0, 256).toLowerCase().replace(/[\s-]/g, '')
  return createHash('sha256').update(letters, 'utf8').digest('hex')
}
