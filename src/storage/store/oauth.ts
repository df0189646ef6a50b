/**
 * The rows behind the authorization server's adapter; times are POSIX seconds. Expired rows are never returned.
 * `payload` is a JSON object; `consumeOAuth` sets its member `consumed`.
 */
export interface OAuthStore {
  putOAuth(model: string, id: string, payload: string, keys: OAuthKeys, expiresAt?: number): Promise<void>
  readOAuth(model: string, id: string): Promise<string | undefined>
  readOAuthBy(model: string, key: keyof OAuthKeys, value: string): Promise<string | undefined>
  consumeOAuth(model: string, id: string, at: number): Promise<void>
  deleteOAuth(model: string, id: string): Promise<void>
  deleteOAuthGrant(grantId: string): Promise<void>
  /** Every session, grant, code and token of an account. */
  deleteOAuthAccount(accountId: string): Promise<void>
}

export interface OAuthKeys {
  readonly uid?: string
  readonly userCode?: string
  readonly grantId?: string
  readonly accountId?: string
}
