import { createHash } from 'node:crypto'
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Counter, CounterRate, SharedStore } from '../../storage/store.js'
import type { ProviderModule } from './import.js'

export interface AuthLimits {
  /** Polls with one device code; programs are told to wait a second longer. */
  readonly devicePoll: CounterRate
  /** Tokens of one account, from however many addresses: only its own credentials count towards it. */
  readonly accountTokens: CounterRate
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

function openPace(counter: Counter): Pace {
  return async (secret) => {
    const key = createHash('sha256').update(secret).digest('base64url')
    return (await counter.take(key)).isAllowed
  }
}

/** Both count for all processes together. */
export function openPaces(
  store: Pick<SharedStore, 'counter'>,
  limits: AuthLimits,
): Readonly<Record<keyof AuthLimits, Pace>> {
  return {
    devicePoll: openPace(store.counter('device-poll', limits.devicePoll)),
    accountTokens: openPace(store.counter('account-tokens', limits.accountTokens)),
  }
}

/** Counts a token of an account at the token endpoint, before what it is asked with is spent; elsewhere nothing. */
export type CountToken = (ctx: KoaContextWithOIDC, account: string) => Promise<void>

export function openTokenCount(
  { errors }: ProviderModule,
  { pace, seconds }: { readonly pace: Pace; readonly seconds: number },
): CountToken {
  return async (ctx, account) => {
    if (ctx.oidc.route !== 'token' || (await pace(account))) return
    ctx.set('Retry-After', String(seconds))
    const refused = new errors.TemporarilyUnavailable('too many tokens of this account; wait a little')
    throw Object.assign(refused, { statusCode: 429 })
  }
}
