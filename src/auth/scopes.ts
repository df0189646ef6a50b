import type { Role } from '../storage/store.js'
import { AuthError } from './errors.js'

/** The scopes of this registry, and the role an account must have for a token's scope to count. */
const SCOPE_ROLES = {
  'registry:publish': 'publisher',
  'registry:review': 'reviewer',
  'registry:audit': 'auditor',
  'registry:admin': 'admin',
} as const satisfies Record<string, Role>

export type Scope = keyof typeof SCOPE_ROLES

export const SCOPES = Object.keys(SCOPE_ROLES) as readonly Scope[]
export const ROLES = Object.values(SCOPE_ROLES) as readonly Role[]

/** Who is calling: an account, and what both its token and its roles allow. */
export interface Principal {
  readonly account: string
  readonly clientId: string
  readonly roles: readonly Role[]
  /** Scopes of the token, whether the roles allow them or not. */
  readonly scopes: readonly string[]
}

/** The scopes a client of these roles may ask for. */
export function scopesOfRoles(roles: readonly Role[]): Scope[] {
  return SCOPES.filter((scope) => roles.includes(SCOPE_ROLES[scope]))
}

export function isAllowed(principal: Principal, scope: Scope): boolean {
  return principal.scopes.includes(scope) && principal.roles.includes(SCOPE_ROLES[scope])
}

/**
 * A scope counts when the token carries it *and* the account's roles allow it. Throws `scope-missing`,
 * `role-missing`.
 */
export function assertScope(principal: Principal, scope: Scope): void {
  if (!principal.scopes.includes(scope)) {
    throw new AuthError('scope-missing', `the token lacks the scope ${scope}`, { scope })
  }
  if (!isAllowed(principal, scope)) {
    throw new AuthError('role-missing', `the account lacks the role ${SCOPE_ROLES[scope]}`, { scope })
  }
}
