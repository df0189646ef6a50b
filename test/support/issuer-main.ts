import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JWK } from 'jose'

/**
 * An authorization server that is not ours, in a process of its own: oidc-provider with keys, people and clients that
 * its first argument names. It prints its URL, logs in whoever says a name, and gives `at+jwt` tokens for any resource.
 */
interface Settings {
  readonly port: number
  readonly keys: readonly JWK[]
  readonly alg: 'RS256' | 'ES256'
  readonly scopes: readonly string[]
  /** Of each person, what the claim `registry_roles` lists. */
  readonly roles: Readonly<Record<string, readonly string[]>>
}

const settings = JSON.parse(process.argv[2] ?? '') as Settings
const { alg } = settings
console.warn = () => undefined
const { Provider } = await import('oidc-provider')

const server = createServer()
await new Promise<void>((listening) => server.listen(settings.port, '127.0.0.1', listening))
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const provider = new Provider(issuer, {
  jwks: { keys: [...settings.keys] },
  cookies: { keys: ['only for tests'] },
  responseTypes: ['code'],
  clientDefaults: { id_token_signed_response_alg: alg, grant_types: ['authorization_code'] },
  enabledJWA: { idTokenSigningAlgValues: [alg] },
  clients: [
    {
      client_id: 'countersign',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      redirect_uris: ['http://127.0.0.1/callback'],
    },
    {
      client_id: 'robot',
      client_secret: 'robot-secret',
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    },
  ],
  pkce: { required: () => true },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  extraTokenClaims: (_ctx, token) => {
    const roles = 'accountId' in token ? settings.roles[token.accountId] : undefined
    return roles === undefined ? {} : { registry_roles: [...roles] }
  },
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: settings.scopes.join(' '),
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
        jwt: { sign: { alg } },
      }),
    },
  },
  ttl: {
    AccessToken: 600,
    AuthorizationCode: 60,
    ClientCredentials: 600,
    DeviceCode: 600,
    Grant: 3600,
    IdToken: 600,
    Interaction: 600,
    RefreshToken: 3600,
    Session: 3600,
  },
})
const handler = provider.callback()
server.on('request', (req, res) => void handler(req, res))
process.stdout.write(`${issuer}\n`)
process.once('SIGTERM', () => process.exit(0))
