import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import type { Configuration, ResourceServer } from 'oidc-provider'
import type { Store } from '../storage/store.js'
import { openAdapter } from './adapter.js'
import { isSecret } from './clients.js'
import type { AuthKeys } from './keys.js'
import { SCOPES } from './scopes.js'

/** Access tokens cannot be taken back, so they live ten minutes. */
export const TOKEN_SECONDS = 600

/** The only paths that ever reach the authorization server; it would answer every other one itself. */
export const PROVIDER_PATHS: ReadonlySet<string> = new Set([
  '/oauth/token',
  '/oauth/jwks',
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
])

export type ProviderHandler = (req: IncomingMessage, res: ServerResponse) => Promise<void>

/**
 * The embedded authorization server at the root issuer: client credentials for one resource, this registry.
 */
export async function openProvider(options: {
  store: Store
  issuer: string
  keys: AuthKeys
  log: Logger
}): Promise<ProviderHandler> {
  const { issuer, log } = options
  const { Provider, errors } = await importProvider(log)
  const resourceServer = (resource: string): ResourceServer => {
    if (resource !== issuer && resource !== `${issuer}/`) throw new errors.InvalidTarget()
    return {
      scope: SCOPES.join(' '),
      audience: issuer,
      accessTokenFormat: 'jwt',
      accessTokenTTL: TOKEN_SECONDS,
      jwt: { sign: { alg: 'EdDSA' } },
    }
  }
  const provider = new Provider(issuer, configuration(options, resourceServer))
  provider.proxy = true
  provider.Client.prototype.compareClientSecret = function (actual) {
    return typeof this.clientSecret === 'string' && isSecret(this.clientSecret, actual)
  }
  provider.on('server_error', (_ctx, error) => log.error({ err: error }, 'authorization server error'))
  provider.on('grant.error', (_ctx, error) => log.info({ code: error.message }, 'token refused'))
  const handler = provider.callback()
  const { host, protocol } = new URL(issuer)
  const ours = { host, 'x-forwarded-host': host, 'x-forwarded-proto': protocol.slice(0, -1) }
  return async (req, res) => {
    // It tells its endpoints from these headers: a stranger's Host would send secrets elsewhere, out of any cache.
    Object.assign(req.headers, ours)
    return handler(req, res)
  }
}

function configuration(
  { store, issuer, keys }: { store: Store; issuer: string; keys: AuthKeys },
  resourceServer: (resource: string) => ResourceServer,
): Configuration {
  return {
    adapter: (model: string) => openAdapter(store, model),
    jwks: { keys: [keys.tokenKey] },
    cookies: { keys: [...keys.cookieKeys] },
    routes: { token: '/oauth/token', jwks: '/oauth/jwks', authorization: '/oauth/authorize' },
    responseTypes: [],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
    // The defaults ask for RS256, which an Ed25519 key set cannot give.
    clientDefaults: {
      id_token_signed_response_alg: 'EdDSA',
      response_types: [],
      grant_types: ['client_credentials'],
    },
    enabledJWA: { idTokenSigningAlgValues: ['EdDSA'] },
    scopes: [...SCOPES],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: false },
      revocation: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      dPoP: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => issuer,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => resourceServer(resource),
      },
    },
    // Its own error page would be HTML for whoever asks for it.
    renderError: (ctx, out) => {
      ctx.body = out
    },
    // No browser talks to the token endpoint.
    clientBasedCORS: () => false,
    // Every model has a number, or the server prints a notice for it.
    ttl: {
      ClientCredentials: TOKEN_SECONDS,
      AccessToken: TOKEN_SECONDS,
      AuthorizationCode: 60,
      DeviceCode: TOKEN_SECONDS,
      BackchannelAuthenticationRequest: TOKEN_SECONDS,
      IdToken: TOKEN_SECONDS,
      RefreshToken: 86_400,
      Interaction: TOKEN_SECONDS,
      Session: 86_400,
      Grant: 86_400,
    },
  }
}

/**
 * The module prints a warning on Node 20 as it loads, though its tests and ours pass there: it belongs into
 * the log.
 */
async function importProvider(log: Logger): Promise<typeof import('oidc-provider')> {
  /* eslint-disable no-console -- the module has no other way to be told where its words go */
  const { warn } = console
  console.warn = (...words: unknown[]) => {
    if (typeof words[0] === 'string' && words[0].includes('oidc-provider')) log.debug(words[0])
    else warn(...words)
  }
  try {
    return await import('oidc-provider')
  } finally {
    console.warn = warn
    /* eslint-enable no-console */
  }
}
