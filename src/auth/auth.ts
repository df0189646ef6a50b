import type { Logger } from 'pino'
import type { Outside } from '../net/outside.js'
import type { Store } from '../storage/store.js'
import { openAccounts, type Accounts } from './accounts.js'
import { ensureAdmin, tradePassword } from './accounts/bootstrap.js'
import type { NewClient } from './clients.js'
import { AuthError } from './errors.js'
import { openExternalIssuer, type ExternalSettings } from './token/external.js'
import { openFailureRecord } from './accounts/failures.js'
import { openInteractions, type Interactions } from './provider/interactions.js'
import { openIssuers, type Issuers } from './issuers.js'
import { openAuthKeys } from './keys.js'
import type { LockoutLimits } from './accounts/lockout.js'
import { openPasswordVerifier, type PasswordVerifier } from './accounts/passwords.js'
import { DEFAULT_AUTH_LIMITS, type AuthLimits } from './provider/limits.js'
import { pathsOf, type OwnsPath } from './provider/paths.js'
import { openProvider, type ProviderHandler } from './provider.js'
import { openAuthenticate, type Authenticate } from './token.js'
import { openTrustedPublishers, type TrustedPublishers } from './trusted-publishing/trusted-publishers.js'

/** Who is calling: the embedded authorization server, and what its tokens say. */
export interface Auth {
  /** The authorization server: for the paths that it owns, and no other. */
  readonly provider: ProviderHandler
  readonly owns: OwnsPath
  /** People log in elsewhere: there are no login pages here. */
  readonly hasExternalIssuer: boolean
  readonly authenticate: Authenticate
  readonly bootstrap: (given: { account: string; password: string }) => Promise<NewClient>
  readonly accounts: Accounts
  readonly interactions: Interactions
  readonly trustedPublishers: TrustedPublishers
  /** On the first start only: the admin's one-time password, to be shown once. */
  readonly oneTimePassword?: string
}

export interface AuthOptions {
  readonly store: Store
  /** Our public URL. */
  readonly issuer: string
  /** The registry's identity: an audience that workflows may name as well. */
  readonly identity?: string
  readonly keysDir: string
  readonly log: Logger
  /** Without it, no other issuer's keys can be fetched: neither external logins nor trusted publishing. */
  readonly outside?: Outside
  /** Milliseconds. */
  readonly now?: () => number
  readonly limits?: Partial<AuthLimits>
  readonly lockoutLimits?: LockoutLimits
  /** People log in at this issuer instead of here. */
  readonly external?: ExternalSettings | undefined
  /** Tokens that carry `registry:admin` must be bound to a key. */
  readonly dpopAdmin?: boolean
  readonly issuers?: Issuers
}

/** Keys, accounts, the authorization server, and what reads its tokens. */
export async function openAuth(options: AuthOptions): Promise<Auth> {
  const { store, issuer, external, now = Date.now, lockoutLimits } = options
  const keys = await openAuthKeys(options.keysDir)
  const verifier = await openPasswordVerifier()
  const issuers = issuersOf(options, now)
  const hasExternalIssuer = external !== undefined
  const { provider, handler } = await openProvider({
    ...options,
    keys,
    now,
    hasExternalIssuer,
    limits: { ...DEFAULT_AUTH_LIMITS, ...options.limits },
    exchange: issuers === undefined ? undefined : { store, issuers, audience: audiencesOf(options) },
  })
  const oneTimePassword = await ensureAdmin(store)
  return {
    provider: handler,
    owns: pathsOf(hasExternalIssuer),
    hasExternalIssuer,
    authenticate: openAuthenticate({
      store,
      issuer,
      tokenKey: keys.tokenKey,
      dpopAdmin: options.dpopAdmin === true,
      external: external === undefined ? undefined : externalOf(store, external, issuers, now),
    }),
    bootstrap: openBootstrap(store, verifier, now),
    accounts: openAccounts({
      ...{ store, verifier, now },
      ...(lockoutLimits === undefined ? {} : { lockoutLimits }),
    }),
    interactions: openInteractions({ store, provider, issuer }),
    trustedPublishers: openTrustedPublishers({ store, issuer, now }),
    ...(oneTimePassword === undefined ? {} : { oneTimePassword }),
  }
}

/** The trade of the one-time password; who tries another one is in the audit, as at the login page. */
function openBootstrap(store: Store, verifier: PasswordVerifier, now: () => number): Auth['bootstrap'] {
  const recordFailure = openFailureRecord({ store, now })
  return (given) =>
    tradePassword(store, verifier, given).catch(async (cause: unknown) => {
      if (cause instanceof AuthError && cause.code === 'credentials-invalid') await recordFailure(undefined)
      throw cause
    })
}

function issuersOf({ issuers, outside }: AuthOptions, now: () => number): Issuers | undefined {
  return issuers ?? (outside === undefined ? undefined : openIssuers({ outside, now }))
}

/** What a workflow's token may be made out to: this registry by its URL or by its identity. */
function audiencesOf({ issuer, identity }: AuthOptions): string[] {
  return identity === undefined ? [issuer] : [issuer, identity]
}

function externalOf(
  store: Store,
  settings: ExternalSettings,
  issuers: Issuers | undefined,
  now: () => number,
) {
  if (issuers === undefined) throw new Error('an external issuer needs a way to fetch its keys')
  return openExternalIssuer({ store, issuers, settings, now })
}
