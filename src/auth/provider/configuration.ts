import type { Configuration, Session } from 'oidc-provider'
import type { Store } from '../../storage/store.js'
import { openAdapter } from './adapter.js'
import { LOGIN_GRANTS, MACHINE_GRANTS } from './adapter-clients.js'
import { DPOP_ALGORITHMS } from '../token/dpop.js'
import type { AuthKeys } from '../keys.js'
import type { ProviderModule } from './import.js'
import type { CountToken, Pace } from './limits.js'
import { openProviderPages } from './pages.js'
import { ROUTES } from './paths.js'
import { findPerson, loginPolicy, rememberedGrant } from './people.js'
import { resourceServers, TOKEN_SECONDS } from './scopes.js'
import { SCOPES } from '../scopes.js'

export interface ConfigurationOptions {
  readonly store: Store
  readonly issuer: string
  readonly keys: AuthKeys
  readonly module: ProviderModule
  readonly pace: Pace
  readonly countToken: CountToken
  /** People log in elsewhere: only machines are served here. */
  readonly hasExternalIssuer: boolean
  /** Claims of tokens about to be made, besides those of a person's. */
  readonly claims: WeakMap<object, Record<string, unknown>>
}

const DAY = 86_400
/** How long somebody may take from the first login page to the last. */
const PAGES_SECONDS = 1800
const AUTH_METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'] as const
const ASSERTION_ALGORITHMS = ['EdDSA', 'Ed25519', 'ES256', 'RS256'] as const

/** Everything the authorization server is told, by concern. */
export function configure(options: ConfigurationOptions): Configuration {
  const { store, keys, module, pace, hasExternalIssuer } = options
  const grantTypes = [...MACHINE_GRANTS, ...(hasExternalIssuer ? [] : LOGIN_GRANTS)]
  return {
    adapter: (model: string) => openAdapter({ store, module, pace, clients: { grantTypes } }, model),
    jwks: { keys: [keys.tokenKey] },
    cookies: cookies(options),
    routes: ROUTES,
    ...clients(hasExternalIssuer),
    ...people(options),
    ...tokens(options),
    features: features(options),
    renderError: openProviderPages(options.issuer).renderError,
    // No page of another origin talks to the token endpoint.
    clientBasedCORS: () => false,
  }
}

/** Nobody but this host may set or read them where there is TLS; a login lasts as long as the browser is open. */
function cookies({ issuer, keys }: ConfigurationOptions): NonNullable<Configuration['cookies']> {
  const secure = issuer.startsWith('https:')
  const common = { httpOnly: true, sameSite: 'lax', signed: true, secure } as const
  return {
    keys: [...keys.cookieKeys],
    names: {
      session: `${secure ? '__Host-' : ''}countersign-session`,
      // Bound to the path of one login page, which `__Host-` would not allow.
      interaction: `${secure ? '__Secure-' : ''}countersign-login`,
      resume: `${secure ? '__Secure-' : ''}countersign-resume`,
    },
    long: { ...common, path: '/' },
    short: common,
  }
}

function clients(hasExternalIssuer: boolean): Configuration {
  return {
    responseTypes: hasExternalIssuer ? [] : ['code'],
    clientAuthMethods: [...AUTH_METHODS],
    // The defaults ask for RS256, which an Ed25519 key set cannot give.
    clientDefaults: {
      id_token_signed_response_alg: 'EdDSA',
      response_types: [],
      // A form that submits itself would need a script.
      response_modes: ['query'],
      grant_types: ['client_credentials'],
    },
    enabledJWA: {
      idTokenSigningAlgValues: ['EdDSA'],
      clientAuthSigningAlgValues: [...ASSERTION_ALGORITHMS],
      dPoPSigningAlgValues: [...DPOP_ALGORITHMS],
    },
    discovery: { revocation_endpoint_auth_methods_supported: AUTH_METHODS },
    // RFC 7636 for every client, confidential ones too: the plain method is not known here at all.
    pkce: { required: () => true },
  }
}

function people({ store, module, countToken, hasExternalIssuer }: ConfigurationOptions): Configuration {
  return {
    // `openid` is what `max_age` and `nonce` hang on; the id token tells the account's opaque name.
    scopes: [...(hasExternalIssuer ? [] : ['openid']), ...SCOPES],
    findAccount: async (ctx, account) => {
      await countToken(ctx, account)
      return findPerson(store, account)
    },
    loadExistingGrant: rememberedGrant,
    interactions: {
      policy: loginPolicy(module),
      url: (_ctx, { uid }) => `/login/${uid}`,
    },
  }
}

function tokens({ claims, hasExternalIssuer }: ConfigurationOptions): Configuration {
  return {
    // What the registry looks up at every request: a token of a grant that fell is worth nothing.
    extraTokenClaims: (_ctx, token) =>
      token.kind === 'AccessToken' ? { grant: token.grantId } : claims.get(token),
    rotateRefreshToken: true,
    // Being logged in at this browser is one thing, a program's access another.
    expiresWithSession: () => false,
    ...(hasExternalIssuer
      ? {}
      : { issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token') }),
    // Every model has a number, or the server prints a notice for it.
    ttl: {
      ClientCredentials: TOKEN_SECONDS,
      AccessToken: TOKEN_SECONDS,
      AuthorizationCode: 60,
      DeviceCode: 600,
      BackchannelAuthenticationRequest: 600,
      PreAuthorizedCode: 600,
      IdToken: TOKEN_SECONDS,
      RefreshToken: 30 * DAY,
      Interaction: PAGES_SECONDS,
      Session: sessionSeconds,
      // However often it is refreshed, a person agrees again after three months.
      Grant: 90 * DAY,
    },
  }
}

/**
 * Whoever opens a page has a session: it is kept no longer than the page, unless somebody logs in. A login is over after
 * half a day, however often it was used: who copied the cookie cannot keep it alive.
 */
function sessionSeconds(_ctx: unknown, session: Pick<Session, 'accountId' | 'loginTs'>): number {
  if (session.accountId === undefined) return PAGES_SECONDS
  const age = Math.floor(Date.now() / 1000) - (session.loginTs ?? 0)
  return Math.max(1, DAY / 2 - age)
}

function features(options: ConfigurationOptions): NonNullable<Configuration['features']> {
  const { issuer, hasExternalIssuer } = options
  const off = { enabled: false }
  return {
    clientCredentials: { enabled: true },
    deviceFlow: {
      enabled: !hasExternalIssuer,
      charset: 'base-20',
      mask: '****-****',
      ...openProviderPages(issuer).device,
    },
    revocation: {
      enabled: !hasExternalIssuer,
      allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
    },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_ctx, _client, oneOf) => oneOf?.[0] ?? issuer,
      useGrantedResource: () => true,
      getResourceServerInfo: resourceServers(options),
    },
    devInteractions: off,
    introspection: off,
    userinfo: off,
    rpInitiatedLogout: off,
    pushedAuthorizationRequests: off,
  }
}
