import type { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { Logger } from 'pino'
import type { Store } from '../storage/store.js'
import { EXCHANGE_GRANT } from './provider/adapter-clients.js'
import { isSecret } from './clients.js'
import type { AuthKeys } from './keys.js'
import { configure } from './provider/configuration.js'
import { exchangeGrant, EXCHANGE_PARAMETERS } from './provider/exchange.js'
import { importProvider, type ProviderModule } from './provider/import.js'
import {
  deviceInterval,
  openPaces,
  openTokenCount,
  type AuthLimits,
  type CountToken,
} from './provider/limits.js'
import { tellTheTruth } from './provider/metadata.js'
import { readTokenBinding } from './provider/binding.js'
import type { ExchangeContext } from './trusted-publishing/exchange.js'

export type ProviderHandler = (req: IncomingMessage, res: ServerResponse) => Promise<void>

export interface ProviderOptions {
  readonly store: Store
  readonly issuer: string
  readonly keys: AuthKeys
  readonly log: Logger
  readonly limits: AuthLimits
  readonly hasExternalIssuer: boolean
  /** Without it, tokens of other issuers are exchanged for nothing. */
  readonly exchange?: ExchangeContext | undefined
  /** Milliseconds. */
  readonly now: () => number
}

export interface OpenedProvider {
  readonly provider: Provider
  readonly handler: ProviderHandler
}

/** The embedded authorization server at the root issuer, for one resource: this registry. */
export async function openProvider(options: ProviderOptions): Promise<OpenedProvider> {
  const module = await importProvider(options.log)
  const claims = new WeakMap<object, Record<string, unknown>>()
  const { devicePoll: pace, accountTokens } = openPaces(options.store, options.limits)
  const { seconds } = options.limits.accountTokens
  const countToken = openTokenCount(module, { pace: accountTokens, seconds })
  const configuration = configure({ ...options, module, claims, pace, countToken })
  const provider = new module.Provider(options.issuer, configuration)
  provider.proxy = true
  provider.use(tellTheTruth(options.hasExternalIssuer, deviceInterval(options.limits)))
  provider.Client.prototype.compareClientSecret = function (actual) {
    return typeof this.clientSecret === 'string' && isSecret(this.clientSecret, actual)
  }
  addExchange(provider, module, { claims, countToken }, options)
  logErrors(provider, options)
  return { provider, handler: handlerOf(provider, options.issuer) }
}

function addExchange(
  provider: Provider,
  module: ProviderModule,
  minting: { claims: WeakMap<object, Record<string, unknown>>; countToken: CountToken },
  { store, issuer, exchange, now }: ProviderOptions,
): void {
  if (exchange === undefined) return
  const seconds = (): number => Math.floor(now() / 1000)
  const readBinding = readTokenBinding({ store, issuer, module })
  const grant = exchangeGrant(provider, { issuer, module, exchange, readBinding, ...minting, now: seconds })
  provider.registerGrantType(EXCHANGE_GRANT, grant, EXCHANGE_PARAMETERS, ['audience', 'resource'])
}

/** It tells its endpoints from these headers: a stranger's Host would send secrets elsewhere, out of any cache. */
function handlerOf(provider: Provider, issuer: string): ProviderHandler {
  const handler = provider.callback()
  const { host, protocol } = new URL(issuer)
  const ours = { host, 'x-forwarded-host': host, 'x-forwarded-proto': protocol.slice(0, -1) }
  return async (req, res) => {
    Object.assign(req.headers, ours)
    return handler(req, res)
  }
}

/** Codes and reasons, never what was sent; what a refresh token or a code that came twice has ended is a warning. */
function logErrors(provider: Provider, { log }: ProviderOptions): void {
  const refused = (what: string) => (_ctx: KoaContextWithOIDC, error: Error) =>
    log.info({ code: error.message, reason: reasonOf(error) }, what)
  const app: EventEmitter = provider
  app.on('error', (error: unknown) => log.error({ err: error }, 'authorization server failed'))
  provider.on('server_error', (_ctx, error) => log.error({ err: error }, 'authorization server error'))
  provider.on('grant.error', refused('token refused'))
  provider.on('authorization.error', refused('authorization refused'))
  provider.on('device_authorization.error', refused('device authorization refused'))
  provider.on('revocation.error', refused('revocation refused'))
  provider.on('grant.revoked', ({ oidc }, grantId) => {
    const fields = { client: oidc.client?.clientId, grant: grantId }
    if (oidc.route === 'token') log.warn(fields, 'a token or code was used twice: its grant is revoked')
    else log.info(fields, 'grant revoked')
  })
}

/** The server's own words about a refusal: its error detail, which callers are not told. */
function reasonOf(error: Error & { readonly error_detail?: unknown }): string | undefined {
  return typeof error.error_detail === 'string' ? error.error_detail : undefined
}
