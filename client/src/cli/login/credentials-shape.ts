import { Secret } from './secret.js'

/** How this machine gets tokens: who it is to the authorization server, and with what it proves that. */
export type Login =
  | { readonly kind: 'secret'; readonly secret: Secret }
  | { readonly kind: 'key'; readonly keyFile: string; readonly passphraseFile?: string }
  | { readonly kind: 'refresh'; readonly refreshToken: Secret }
  /** A workflow shows a token of its own, which it gets anew each time. */
  | { readonly kind: 'workflow' }

export type Credentials = Login & {
  readonly clientId: string
  /** Where tokens come from; absent: the registry itself. Kept, so that a registry cannot name another one later. */
  readonly issuer?: string
  /** What the issuer knows the registry as; absent: its URL. */
  readonly resource?: string
  readonly account?: string
  /** Scopes that were chosen at login; absent: all that there are. */
  readonly scope?: string
  /** Private JWK that tokens are bound to (RFC 9449). */
  readonly proofKey?: Secret
  readonly token?: AccessToken
}

/** Who asks for a token: a login, or this program itself before there is one. */
export type Asking = Credentials | PublicClient

export interface PublicClient {
  readonly kind: 'public'
  readonly clientId: string
  readonly proofKey?: Secret
}

export interface AccessToken {
  readonly value: Secret
  readonly type: 'Bearer' | 'DPoP'
  /** ms */
  readonly expiresAt: number
  readonly scope: string
}

type Members = Readonly<Record<string, unknown>>

/** What was kept, as far as it is understood; undefined for anything else, which counts as not logged in. */
export function parseCredentials(entry: unknown): Credentials | undefined {
  if (!isMembers(entry)) return undefined
  const login = parseLogin(entry)
  const clientId = text(entry, 'clientId')
  if (login === undefined || clientId === undefined) return undefined
  const issuer = text(entry, 'issuer')
  const resource = text(entry, 'resource')
  const account = text(entry, 'account')
  const scope = text(entry, 'scope')
  const proofKey = text(entry, 'proofKey')
  const token = parseToken(entry['token'])
  return {
    ...login,
    clientId,
    ...(issuer !== undefined && { issuer }),
    ...(resource !== undefined && { resource }),
    ...(account !== undefined && { account }),
    ...(scope !== undefined && { scope }),
    ...(proofKey !== undefined && { proofKey: new Secret(proofKey) }),
    ...(token !== undefined && { token }),
  }
}

function parseLogin(entry: Members): Login | undefined {
  // An entry that says no kind is of the time when there was one kind only.
  switch (text(entry, 'kind') ?? 'secret') {
    case 'secret': {
      const secret = text(entry, 'clientSecret')
      return secret === undefined ? undefined : { kind: 'secret', secret: new Secret(secret) }
    }
    case 'key': {
      const keyFile = text(entry, 'keyFile')
      const passphraseFile = text(entry, 'passphraseFile')
      if (keyFile === undefined) return undefined
      return { kind: 'key', keyFile, ...(passphraseFile !== undefined && { passphraseFile }) }
    }
    case 'refresh': {
      const token = text(entry, 'refreshToken')
      return token === undefined ? undefined : { kind: 'refresh', refreshToken: new Secret(token) }
    }
    case 'workflow':
      return { kind: 'workflow' }
    default:
      return undefined
  }
}

function parseToken(token: unknown): AccessToken | undefined {
  if (!isMembers(token)) return undefined
  const { expiresAt } = token
  const value = text(token, 'value')
  const scope = text(token, 'scope')
  if (value === undefined || scope === undefined || typeof expiresAt !== 'number') return undefined
  const type = token['type'] === 'DPoP' ? 'DPoP' : 'Bearer'
  return { value: new Secret(value), type, expiresAt, scope }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(entry: Members, name: string): string | undefined {
  const value = Object.hasOwn(entry, name) ? entry[name] : undefined
  return typeof value === 'string' ? value : undefined
}

/** The entry as it is written: the one place where secrets become plain text again. */
export function storedCredentials(credentials: Credentials): Members {
  const { kind, clientId, issuer, resource, account, scope, proofKey, token } = credentials
  return {
    kind,
    clientId,
    issuer,
    resource,
    account,
    scope,
    ...storedLogin(credentials),
    proofKey: proofKey?.reveal(),
    token: token && { ...token, value: token.value.reveal() },
  }
}

function storedLogin(login: Login): Members {
  switch (login.kind) {
    case 'secret':
      return { clientSecret: login.secret.reveal() }
    case 'key':
      return { keyFile: login.keyFile, passphraseFile: login.passphraseFile }
    case 'refresh':
      return { refreshToken: login.refreshToken.reveal() }
    case 'workflow':
      return {}
  }
}
