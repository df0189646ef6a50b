import * as oauth from 'oauth4webapi'
import { isSameUrl, registryScopes } from '../../context.js'
import { CountersignError, refuse } from '../../../core/index.js'
import { asFailure, requestOptions } from './http.js'

/** The public client of this program at a registry's own authorization server. */
export const CLI_CLIENT = 'countersign-cli'
const MAX_ISSUERS = 8

/** Where a registry says that people and machines log in (RFC 9728). */
export interface LoginDoor {
  /** The registry as the audience of tokens, spelled as it spells itself. */
  readonly resource: string
  /** First the one that people log in at. */
  readonly issuers: readonly string[]
  /** What this program is called at an external issuer. */
  readonly clientId?: string
  readonly scopes: readonly string[]
  /** How proofs of possession may be signed; absent: not said. */
  readonly proofAlgorithms?: readonly string[]
}

/** @throws CountersignError `registry-unreachable`, `registry-error` when it is not the registry that was asked for */
export async function discoverDoor(registry: string, signal: AbortSignal): Promise<LoginDoor> {
  const url = new URL(registry)
  try {
    const response = await oauth.resourceDiscoveryRequest(url, requestOptions(registry, signal))
    return readDoor(await oauth.processResourceDiscoveryResponse(url, response))
  } catch (error) {
    throw explained(error, registry)
  }
}

function readDoor(metadata: oauth.ResourceServer): LoginDoor {
  const issuers = texts(metadata.authorization_servers)
    .filter((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))
    .slice(0, MAX_ISSUERS)
  if (issuers.length === 0) refuse('registry-error', 'the registry names no authorization server')
  const clientId = metadata['countersign_client_id']
  const algorithms = metadata.dpop_signing_alg_values_supported
  return {
    resource: metadata.resource,
    issuers,
    scopes: registryScopes(texts(metadata.scopes_supported)),
    ...(typeof clientId === 'string' && { clientId }),
    ...(Array.isArray(algorithms) && { proofAlgorithms: texts(algorithms) }),
  }
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

/** A registry reached by another name than its own would give tokens that it refuses: say which name to use. */
function explained(error: unknown, registry: string): CountersignError {
  const cause = error instanceof oauth.OperationProcessingError ? error.cause : undefined
  const body = typeof cause === 'object' && cause !== null && 'body' in cause ? cause.body : undefined
  const name = typeof body === 'object' && body !== null && 'resource' in body ? body.resource : undefined
  if (typeof name !== 'string') return asFailure(error, registry)
  return new CountersignError(
    'registry-error',
    `the registry calls itself ${name}: use that name`,
    { registry, name },
    { cause: error },
  )
}

/**
 * The metadata of an authorization server: RFC 8414 first, then what OpenID Connect providers serve.
 * @throws CountersignError `registry-unreachable`, `registry-error`
 */
export async function discoverIssuer(
  issuer: string,
  signal: AbortSignal,
): Promise<oauth.AuthorizationServer> {
  const url = new URL(issuer)
  try {
    const options = requestOptions(issuer, signal)
    let response = await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...options })
    if (response.status === 404) {
      response = await oauth.discoveryRequest(url, { algorithm: 'oidc', ...options })
    }
    return await oauth.processDiscoveryResponse(url, response)
  } catch (error) {
    throw asFailure(error, issuer)
  }
}

/** Who logs people in: the first one named. */
export function issuerOfPeople({ issuers }: LoginDoor): string {
  return issuers[0] ?? refuse('registry-error', 'the registry names no authorization server')
}

/** Who gives tokens to machines: the registry itself, unless only others are named. */
export function issuerOfMachines(door: LoginDoor): string {
  return door.issuers.find((issuer) => isSameUrl(issuer, door.resource)) ?? issuerOfPeople(door)
}

/** An issuer that a person typed must be one that the registry takes tokens of. @throws CountersignError `usage` */
export function chosenIssuer(door: LoginDoor, typed: string): string {
  const found = door.issuers.find((issuer) => URL.canParse(typed) && isSameUrl(issuer, typed))
  return found ?? refuse('usage', 'the registry takes no tokens of this issuer', { issuers: door.issuers })
}
