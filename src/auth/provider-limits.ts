import { createHash } from 'node:crypto'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'

export interface AuthLimits {
  /** Polls with one device code; programs are told to wait a second longer. */
  readonly devicePoll: { readonly points: number; readonly seconds: number }
}

export const DEFAULT_AUTH_LIMITS: AuthLimits = { devicePoll: { points: 1, seconds: 4 } }

/** What programs are told to wait between polls: a second more, for timers and networks that are not exact. */
export function deviceInterval({ devicePoll }: AuthLimits): number {
  return devicePoll.seconds + 1
}

/** False when this secret was presented too often; only a digest of it is remembered. */
export type Pace = (secret: string) => Promise<boolean>

export function openPace({ points, seconds }: AuthLimits['devicePoll']): Pace {
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
