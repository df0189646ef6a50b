import { createHash } from 'node:crypto'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { ProviderModule } from './import.js'

interface Rate {
  readonly points: number
  readonly seconds: number
}

export interface AuthLimits {
  /** Polls with one device code; programs are told to wait a second longer. */
  readonly devicePoll: Rate
  /** Tokens of one account, from however many addresses: only its own credentials count towards it. */
  readonly accountTokens: Rate
}

export const DEFAULT_AUTH_LIMITS: AuthLimits = {
  devicePoll: { points: 1, seconds: 4 },
  // A build farm of one service account, each job with a token of its own.
  accountTokens: { points: 600, seconds: 60 },
}

/** What programs are told to wait between polls: a second more, for timers and networks that are not exact. */
export function deviceInterval({ devicePoll }: AuthLimits): number {
  return devicePoll.seconds + 1
}

/** False when this secret or account came too often; only a digest of it is remembered. */
export type Pace = (secret: string) => Promise<boolean>

export function openPace({ points, seconds }: Rate): Pace {
  const counter = new RateLimiterMemory({ points, duration: seconds })
  return async (secret) => {
    const key = createHash('sha256').update(secret).digest('base64url')
    try {
      await counter.consume(key)
      return true
    } catch (refused) {
      if (refused instanceof RateLimiterRes) return false
      throw refused
    }
  }
}

/** Counts a token of an account at the token endpoint, before what it is asked with is spent; elsewhere nothing. */
export type CountToken = (ctx: KoaContextWithOIDC, account: string) => Promise<void>

export function openTokenCount({ errors }: ProviderModule, rate: Rate): CountToken {
  const pace = openPace(rate)
  return async (ctx, account) => {
    if (ctx.oidc.route !== 'token' || (await pace(account))) return
    ctx.set('Retry-After', String(rate.seconds))
    const refused = new errors.TemporarilyUnavailable('too many tokens of this account; wait a little')
    throw Object.assign(refused, { statusCode: 429 })
  }
}
