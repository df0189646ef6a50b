export type Role = 'publisher' | 'reviewer' | 'admin' | 'auditor'

export interface AccountRow {
  /** What events, tokens and audit records say: opaque, never personal data. */
  readonly account: string
  readonly kind: 'person' | 'service'
  /** What a person types to log in; lower case, unique, never logged. */
  readonly login?: string
  readonly roles: readonly Role[]
  readonly disabled: boolean
  /** PHC string of argon2id; absent for service accounts, external identities, and after a one-time password was used. */
  readonly passwordHash?: string
  /** The password was given out by somebody else, and only buys another one. */
  readonly passwordOnce?: boolean
  /** The person who answers for a service account: four eyes counts both as one. */
  readonly owner?: string
  /** POSIX seconds: tokens issued before are refused (password changed, signed out everywhere). */
  readonly tokensBefore?: number
  /** POSIX seconds: when the newest token was issued that said what roles the account has, where an issuer says so. */
  readonly rolesAt?: number
  /** An identity of an external issuer. */
  readonly subject?: { readonly issuer: string; readonly sub: string }
  /** Milliseconds. */
  readonly createdAt: number
}

export interface AccountChange {
  readonly roles?: readonly Role[]
  /** Nothing changes when a token that was issued later has said already what roles the account has. */
  readonly rolesAt?: number
  /** True also ends a recovery code. */
  readonly disabled?: boolean
  /** Also ends `passwordOnce` and a recovery code. */
  readonly passwordHash?: string
  /** Nothing changes when the password is not this one any more. */
  readonly oldPasswordHash?: string
  /** Also drops every session, grant, code and token of the account, in the same transaction. */
  readonly tokensBefore?: number
  readonly login?: string
  /** Refused as `last-admin`, with nothing changed, when no enabled account would be an admin afterwards. */
  readonly keepAdmin?: true
}

/** A one-time code that an admin hands to a person; kept as the SHA-256 of its text, hex. */
export interface CodeRow {
  readonly hash: string
  readonly kind: 'invitation' | 'recovery'
  /** Of a recovery: whose password it sets. */
  readonly account?: string
  /** Of an invitation: what the new account may do. */
  readonly roles?: readonly Role[]
  readonly by: string
  /** Milliseconds. */
  readonly expiresAt: number
}

export interface ClientRow {
  readonly clientId: string
  /** Whom a token by client credentials speaks for; absent for a public client, which speaks for whoever logs in. */
  readonly account?: string
  readonly name: string
  readonly authMethod: 'client_secret_basic' | 'private_key_jwt' | 'none'
  /** SHA-256 of the 256-bit generated secret, hex. */
  readonly secretHash?: string
  /** JSON of the JWK set that `private_key_jwt` is verified with. */
  readonly jwks?: string
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly string[]
  readonly scopes: readonly string[]
  readonly disabled: boolean
  /** Milliseconds. */
  readonly createdAt: number
}

export interface AccountStore {
  /** `duplicate` when there is one of that name, login or subject. */
  createAccount(row: AccountRow): Promise<void>
  readAccount(account: string): Promise<AccountRow | undefined>
  readAccountByLogin(login: string): Promise<AccountRow | undefined>
  readAccountBySubject(issuer: string, sub: string): Promise<AccountRow | undefined>
  /** By name, after `after`. */
  listAccounts(limit: number, after?: string): Promise<AccountRow[]>
  /** False when there is no such account, another password by now, or a later word on its roles; `duplicate` when the login is taken. */
  updateAccount(account: string, change: AccountChange): Promise<boolean>
  countAccounts(): Promise<number>
  /** True for the one caller that took the password away, and `passwordOnce` with it; false for everyone after. */
  consumePassword(account: string, passwordHash: string): Promise<boolean>
  /** A recovery code replaces the one before it. `constraint` when it is of no account. */
  putCode(row: CodeRow): Promise<void>
  /** Undefined once redeemed or expired; of one kind only. */
  readCode(hash: string, kind: CodeRow['kind']): Promise<CodeRow | undefined>
  /** Takes the invitation and makes the account, both or neither; false when the code is gone, `duplicate` as createAccount. */
  redeemInvitation(hash: string, row: AccountRow): Promise<boolean>
  /**
   * Takes the recovery code, sets the password and `tokensBefore`, and drops every grant and session of the account;
   * the account, or undefined when the code is gone.
   */
  redeemRecovery(hash: string, passwordHash: string, tokensBefore: number): Promise<string | undefined>
  /**
   * `duplicate` when the id is taken; `constraint` when there is no such account, or when it has not exactly what its
   * method asks for: `secretHash` of `client_secret_basic`, `jwks` of `private_key_jwt`.
   */
  createClient(row: ClientRow): Promise<void>
  readClient(clientId: string): Promise<ClientRow | undefined>
  /** By id, after `after`; of one account when given. */
  listClients(limit: number, after?: string, account?: string): Promise<ClientRow[]>
  /** False when there is no such client. */
  disableClient(clientId: string, disabled: boolean): Promise<boolean>
}
