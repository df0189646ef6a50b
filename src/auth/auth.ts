import type { Logger } from 'pino'
import type { Store } from '../storage/store.js'
import { ensureAdmin, tradePassword } from './bootstrap.js'
import type { NewClient } from './clients.js'
import { openAuthKeys } from './keys.js'
import { openPasswordVerifier } from './passwords.js'
import { openProvider, type ProviderHandler } from './provider.js'
import { openAuthenticate, type Authenticate } from './token.js'

/** Who is calling: the embedded authorization server, and what its tokens say. */
export interface Auth {
  /** Answers `PROVIDER_PATHS` and nothing else. */
  readonly provider: ProviderHandler
  readonly authenticate: Authenticate
  readonly bootstrap: (given: { account: string; password: string }) => Promise<NewClient>
  /** On the first start only: the admin's one-time password, to be shown once. */
  readonly oneTimePassword?: string
}

export async function openAuth(options: {
  store: Store
  issuer: string
  keysDir: string
  log: Logger
}): Promise<Auth> {
  const { store, issuer } = options
  const keys = await openAuthKeys(options.keysDir)
  const provider = await openProvider({ ...options, keys })
  const verifier = await openPasswordVerifier()
  const oneTimePassword = await ensureAdmin(store)
  return {
    provider,
    authenticate: openAuthenticate({ store, issuer, tokenKey: keys.tokenKey }),
    bootstrap: (given) => tradePassword(store, verifier, given),
    ...(oneTimePassword === undefined ? {} : { oneTimePassword }),
  }
}
