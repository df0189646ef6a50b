import * as oauth from 'oauth4webapi'
import { CountersignError, refuse } from '../core/index.js'
import { assertSecure, type Context } from './context.js'
import {
  readCredentials,
  Secret,
  writeCredentials,
  type AccessToken,
  type Credentials,
} from './credentials.js'

const SCOPES = ['registry:publish', 'registry:review', 'registry:audit', 'registry:admin']
/** A token this close to its end may end on the way. */
const MARGIN_MS = 30_000

/**
 * An access token for the registry: the cached one while it lasts, else a new one by client credentials.
 * @throws CountersignError `not-logged-in`, `registry-refused` for a client the registry does not know
 */
export async function accessToken(context: Context, registry: string): Promise<AccessToken> {
  const credentials = readCredentials(context, registry)
  if (credentials === undefined) refuse('not-logged-in', `not logged in to ${registry}`, { registry })
  const { token } = credentials
  if (token !== undefined && token.expiresAt - MARGIN_MS > Date.now()) return token
  return await renewToken(context, registry, credentials)
}

/** Asks for a token of every scope this client may have, and keeps it. */
export async function renewToken(
  context: Context,
  registry: string,
  credentials: Credentials,
): Promise<AccessToken> {
  const server = await discover(registry)
  const token = await requestToken(server, registry, credentials)
  writeCredentials(context, registry, { ...credentials, token })
  return token
}

/** Plain HTTP is for a registry on this machine; no secret leaves it unprotected. */
function options(registry: string) {
  const url = new URL(registry)
  assertSecure(url)
  const local = url.protocol === 'http:'
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so that it stands out; here for loopback only
  return { [oauth.allowInsecureRequests]: local, signal: () => AbortSignal.timeout(10_000) }
}

async function discover(registry: string): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(registry)
  try {
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options(registry) })
    return await oauth.processDiscoveryResponse(issuer, response)
  } catch (error) {
    throw asFailure(error, registry)
  }
}

async function requestToken(
  server: oauth.AuthorizationServer,
  registry: string,
  credentials: Credentials,
): Promise<AccessToken> {
  const whole = await tryScope(server, registry, credentials, SCOPES.join(' '))
  if (whole !== undefined) return whole
  const granted: string[] = []
  for (const scope of SCOPES) {
    if ((await tryScope(server, registry, credentials, scope)) !== undefined) granted.push(scope)
  }
  const token =
    granted.length === 0 ? undefined : await tryScope(server, registry, credentials, granted.join(' '))
  return (
    token ?? refuse('registry-refused', 'the registry gives this client no scope', { code: 'invalid_scope' })
  )
}

/** Undefined when the client may not have all of these scopes. */
async function tryScope(
  server: oauth.AuthorizationServer,
  registry: string,
  { clientId, secret }: Credentials,
  scope: string,
): Promise<AccessToken | undefined> {
  const client: oauth.Client = { client_id: clientId }
  const auth = oauth.ClientSecretBasic(secret.reveal())
  try {
    const parameters = { scope, resource: registry }
    const response = await oauth.clientCredentialsGrantRequest(
      server,
      client,
      auth,
      parameters,
      options(registry),
    )
    const answer = await oauth.processClientCredentialsResponse(server, client, response)
    const seconds = answer.expires_in ?? 60
    const value = new Secret(answer.access_token)
    return { value, expiresAt: Date.now() + seconds * 1000, scope: answer.scope ?? scope }
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError && error.error === 'invalid_scope') return undefined
    throw asFailure(error, registry)
  }
}

function asFailure(error: unknown, registry: string): CountersignError {
  if (error instanceof oauth.ResponseBodyError || error instanceof oauth.WWWAuthenticateChallengeError) {
    const code = error instanceof oauth.ResponseBodyError ? error.error : 'invalid_client'
    const message = `the registry gives no token: ${code}`
    return new CountersignError('registry-refused', message, { code, status: error.status }, { cause: error })
  }
  const message = `${registry} did not answer as an authorization server`
  const code = error instanceof oauth.OperationProcessingError ? 'registry-error' : 'registry-unreachable'
  return new CountersignError(code, message, { registry }, { cause: error })
}
