import type { AdapterPayload } from 'oidc-provider'
import type { ClientRow, Store } from '../../storage/store.js'
import { SCOPES } from '../scopes.js'
import { CLI_CLIENT } from '../token/own.js'

export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
export const EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** What every client is held to, whatever its row says. */
export interface ClientRules {
  /** Grants this server gives. */
  readonly grantTypes: readonly string[]
}

/** For people: the grants that end with somebody having logged in. */
export const LOGIN_GRANTS = ['authorization_code', 'refresh_token', DEVICE_GRANT] as const
export const MACHINE_GRANTS = ['client_credentials', EXCHANGE_GRANT] as const

const LOOPBACK = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)[:/]/

/** The command line: known to every registry, of no account, at any port of this machine. */
const CLI: ClientRow = {
  clientId: CLI_CLIENT,
  name: 'Countersign command line',
  authMethod: 'none',
  redirectUris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
  grantTypes: [...LOGIN_GRANTS, EXCHANGE_GRANT],
  scopes: SCOPES,
  disabled: false,
  createdAt: 0,
}

export async function readClientRow(store: Store, id: string): Promise<ClientRow | undefined> {
  return id === CLI_CLIENT ? CLI : store.readClient(id)
}

/** A client as the authorization server knows it. Disabled, or of a disabled account, it is none at all. */
export async function readClientMetadata(
  store: Store,
  rules: ClientRules,
  id: string,
): Promise<AdapterPayload | undefined> {
  const row = await readClientRow(store, id)
  if (row === undefined || row.disabled) return undefined
  if (row.account !== undefined) {
    const account = await store.readAccount(row.account)
    if (account === undefined || account.disabled) return undefined
  }
  return metadataOf(row, grantsOf(row, rules))
}

/** A client of an account speaks for that account alone, never for whoever logs in; exchange is the command line's. */
function grantsOf(row: ClientRow, { grantTypes }: ClientRules): string[] {
  const ofKind: readonly string[] = row.account === undefined ? LOGIN_GRANTS : ['client_credentials']
  const allowed = row === CLI ? row.grantTypes : row.grantTypes.filter((type) => ofKind.includes(type))
  const hasWayBack = row.redirectUris.length > 0
  return allowed.filter((type) => grantTypes.includes(type) && (type !== 'authorization_code' || hasWayBack))
}

function metadataOf(row: ClientRow, grantTypes: string[]): AdapterPayload {
  const hasCode = grantTypes.includes('authorization_code')
  return {
    client_id: row.clientId,
    client_name: row.name,
    application_type: isNative(row) ? 'native' : 'web',
    token_endpoint_auth_method: row.authMethod,
    grant_types: grantTypes,
    response_types: hasCode ? ['code'] : [],
    redirect_uris: hasCode ? [...row.redirectUris] : [],
    ...(row.secretHash === undefined ? {} : { client_secret: row.secretHash }),
    ...(row.jwks === undefined ? {} : { jwks: JSON.parse(row.jwks) as NonNullable<AdapterPayload['jwks']> }),
  }
}

/** Another program on the machine can take its place, so its user is asked every time. */
function isNative({ redirectUris }: ClientRow): boolean {
  return (
    redirectUris.length === 0 || redirectUris.some((uri) => LOOPBACK.test(uri) || !uri.startsWith('https:'))
  )
}
