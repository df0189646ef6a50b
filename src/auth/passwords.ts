import { randomBytes } from 'node:crypto'
import { hash, verify } from '@node-rs/argon2'
import { AuthError } from './errors.js'

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

export async function hashPassword(password: string): Promise<string> {
  return hash(password, COST)
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
        const right = await verify(passwordHash ?? decoy, password)
        return right && passwordHash !== undefined
      } finally {
        leave()
      }
    },
  }
}
