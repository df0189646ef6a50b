import * as oauth from 'oauth4webapi'
import { refuse } from '../../../core/index.js'
import type { AccessToken, Asking, Credentials } from '../credentials-shape.js'
import { Secret } from '../secret.js'
import { openClientKey } from './client-key.js'
import { openProofKey, withNonce } from './dpop.js'
import { asFailure, oauthCode, requestOptions } from './http.js'

/** One conversation with an authorization server about one registry. */
export interface Party {
  readonly server: oauth.AuthorizationServer
  /** The registry, as the audience of what is asked for. */
  readonly resource: string
  readonly scopes: readonly string[]
  readonly signal: AbortSignal
}

/** What a grant gave. */
export interface Granted {
  readonly token: AccessToken
  readonly refreshToken?: Secret
}

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
/** A token whose end nobody names is not kept for long. */
const DEFAULT_SECONDS = 60

/** A machine's own token (RFC 6749 4.4), of every scope this client may have. */
export async function grantToMachine(party: Party, credentials: Credentials): Promise<Granted> {
  const whole = await tryScope(party, credentials, party.scopes)
  if (whole !== undefined) return whole
  const allowed: string[] = []
  for (const scope of party.scopes) {
    if ((await tryScope(party, credentials, [scope])) !== undefined) allowed.push(scope)
  }
  const granted = allowed.length === 0 ? undefined : await tryScope(party, credentials, allowed)
  return granted ?? refuse('registry-refused', 'this client has no scope here', { code: 'invalid_scope' })
}

/** Undefined when the client may not have all of these scopes. */
async function tryScope(
  party: Party,
  credentials: Credentials,
  scopes: readonly string[],
): Promise<Granted | undefined> {
  const { server } = party
  const client = { client_id: credentials.clientId }
  const parameters = { scope: scopes.join(' '), resource: party.resource }
  try {
    return await request(party, credentials, scopes, async (auth, options) =>
      oauth.processClientCredentialsResponse(
        server,
        client,
        await oauth.clientCredentialsGrantRequest(server, client, auth, parameters, options),
      ),
    )
  } catch (error) {
    if (oauthCode(error) === 'invalid_scope') return undefined
    throw asFailure(error, server.issuer)
  }
}

/** A person's next token: the refresh token is spent by this, and another one comes back (RFC 9700). */
export async function refreshGrant(
  party: Party,
  credentials: Credentials & { readonly kind: 'refresh' },
): Promise<Granted> {
  const { server, resource } = party
  const client = { client_id: credentials.clientId }
  const spent = credentials.refreshToken.reveal()
  return await failing(server, () =>
    request(party, credentials, party.scopes, async (auth, options) =>
      oauth.processRefreshTokenResponse(
        server,
        client,
        await oauth.refreshTokenGrantRequest(server, client, auth, spent, {
          ...options,
          additionalParameters: { resource },
        }),
      ),
    ),
  )
}

/** A workflow's token against the one its service made for it (RFC 8693). */
export async function exchangeToken(
  party: Party,
  credentials: Credentials,
  subject: Secret,
): Promise<Granted> {
  const { server, resource } = party
  const client = { client_id: credentials.clientId }
  const parameters = {
    subject_token: subject.reveal(),
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    resource,
    scope: 'registry:publish',
  }
  return await failing(server, () =>
    request(party, credentials, ['registry:publish'], async (auth, options) =>
      oauth.processGenericTokenEndpointResponse(
        server,
        client,
        await oauth.genericTokenEndpointRequest(server, client, auth, EXCHANGE, parameters, options),
      ),
    ),
  )
}

/** Ends a refresh token, and with it every token that came of it (RFC 7009). */
export async function revokeToken(party: Party, credentials: Credentials, token: Secret): Promise<void> {
  const { server, signal } = party
  const client = { client_id: credentials.clientId }
  await failing(server, async () =>
    oauth.processRevocationResponse(
      await oauth.revocationRequest(
        server,
        client,
        await authOf(credentials),
        token.reveal(),
        requestOptions(server.issuer, signal),
      ),
    ),
  )
}

type Options = ReturnType<typeof requestOptions> & { readonly DPoP?: oauth.DPoPHandle }
type Ask = (auth: oauth.ClientAuth, options: Options) => Promise<oauth.TokenEndpointResponse>

/** Asks with the client's own proof and, when there is a key for it, a proof of possession. */
export async function request(
  { server, signal }: Party,
  credentials: Asking,
  scopes: readonly string[],
  ask: Ask,
): Promise<Granted> {
  const auth = await authOf(credentials)
  const { proofKey } = credentials
  const proof = proofKey && (await openProofKey(proofKey))
  const options = { ...requestOptions(server.issuer, signal), ...(proof !== undefined && { DPoP: proof }) }
  return readGranted(await withNonce(() => ask(auth, options)), scopes)
}

async function authOf(credentials: Asking): Promise<oauth.ClientAuth> {
  switch (credentials.kind) {
    case 'secret':
      return oauth.ClientSecretBasic(credentials.secret.reveal())
    case 'key':
      return await openClientKey(credentials)
    case 'public':
    case 'refresh':
    case 'workflow':
      return oauth.None()
  }
}

function readGranted(answer: oauth.TokenEndpointResponse, asked: readonly string[]): Granted {
  const { access_token: value, token_type: type, expires_in: seconds = DEFAULT_SECONDS } = answer
  const { refresh_token: refreshToken, scope = asked.join(' ') } = answer
  return {
    token: {
      value: new Secret(value),
      type: type === 'dpop' ? 'DPoP' : 'Bearer',
      expiresAt: Date.now() + seconds * 1000,
      scope,
    },
    ...(refreshToken !== undefined && { refreshToken: new Secret(refreshToken) }),
  }
}

async function failing<T>(server: oauth.AuthorizationServer, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw asFailure(error, server.issuer)
  }
}
