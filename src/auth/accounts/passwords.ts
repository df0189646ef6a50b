import { randomBytes } from 'node:crypto'
import { hash, verify } from '@node-rs/argon2'
import { AuthError } from '../errors.js'

// OWASP's first choice for argon2id: 19 MiB, two passes. The library's default algorithm is argon2id.
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }
/**
 * Each verification costs 19 MiB and tens of milliseconds of a core: a flood waits in a short queue, then is
 * sent away.
 */
const RUNNING = 2
const WAITING = 16

/** A one-time password of 120 bits, in groups that a person can read out. */
export function makePassword(): string {
  const alphabet = 'abcdefghjkmnpqrstvwxyz0123456789'
  const letters = Array.from(randomBytes(24), (byte) => alphabet.charAt(byte & 31)).join('')
  return letters.replace(/(.{6})(?=.)/g, '$1-')
}

/** In characters, as people count them. */
export const PASSWORD_LENGTH = { min: 12, max: 256 } as const

/**
 * What a person may choose: length is what counts, and the login is no secret.
 * @throws AuthError `password-invalid`
 */
export function assertPassword(password: string, login: string): void {
  const { min, max } = PASSWORD_LENGTH
  const length = Array.from(password.normalize('NFKC')).length
  if (length < min || length > max || /\p{Cs}/u.test(password)) {
    throw new AuthError('password-invalid', `password: a password has ${min} to ${max} characters`)
  }
  if (password.toLowerCase() === login.toLowerCase()) {
    throw new AuthError('password-invalid', 'password: a password is not the login')
  }
}

/** Keyboards disagree on how they compose a letter: both sides are brought to NFKC. */
export async function hashPassword(password: string): Promise<string> {
  return hash(password.normalize('NFKC'), COST)
}

export interface PasswordVerifier {
  /** False also for a missing hash, after the same work. Throws `busy` when too many are waiting. */
  verify(passwordHash: string | undefined, password: string): Promise<boolean>
}

export async function openPasswordVerifier(): Promise<PasswordVerifier> {
  const decoy = await hashPassword(makePassword())
  const queue: (() => void)[] = []
  let running = 0

  const enter = async (): Promise<void> => {
    if (running < RUNNING) {
      running++
      return
    }
    if (queue.length >= WAITING) throw new AuthError('busy', 'too many password checks at once')
    await new Promise<void>((go) => queue.push(go))
  }
  const leave = (): void => {
    const next = queue.shift()
    if (next === undefined) running--
    else next()
  }

  return {
    async verify(passwordHash, password) {
      await enter()
      try {
        // No password is longer, so a longer one is wrong; it costs the same work and no more.
        const possible = password.length <= 4 * PASSWORD_LENGTH.max
        const right = await verify(passwordHash ?? decoy, possible ? password.normalize('NFKC') : '')
        return right && possible && passwordHash !== undefined
      } finally {
        leave()
      }
    },
  }
}
