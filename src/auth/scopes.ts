import type { Role } from '../storage/store.js'
import { AuthError } from './errors.js'

/** The scopes of this registry, and the role an account must have for a token's scope to count. */
const SCOPE_ROLES = {
  'registry:publish': 'publisher',
  'registry:review': 'reviewer',
  'registry:audit': 'auditor',
  'registry:admin': 'admin',
} as const satisfies Record<string, Role>

/** What is read without a token, unless a registry is private: whoever has any role may read there. */
export const READ_SCOPE = 'registry:read'

type RoleScope = keyof typeof SCOPE_ROLES
export type Scope = RoleScope | typeof READ_SCOPE

const ROLE_SCOPES = Object.keys(SCOPE_ROLES) as readonly RoleScope[]
export const SCOPES: readonly Scope[] = [...ROLE_SCOPES, READ_SCOPE]
export const ROLES = Object.values(SCOPE_ROLES) as readonly Role[]

/** Who is calling: an account, and what both its token and its roles allow. */
export interface Principal {
  readonly account: string
  /** The person behind it: the owner of a service account, else the account itself. */
  readonly person: string
  readonly clientId: string
  readonly roles: readonly Role[]
  /** Scopes of the token, whether the roles allow them or not. */
  readonly scopes: readonly string[]
  /** Whether the token is bound to a key that the request proved to hold (RFC 9449). */
  readonly isBound: boolean
  /** Of a token from trusted publishing: what it may publish, and that it may do nothing else. */
  readonly publishes?: PublishingLimits
}

/** The workflow's own limits, from the trusted publishers that its claims matched. */
export interface PublishingLimits {
  readonly trustedPublishers: readonly string[]
  /** Server names, or `NAMESPACE/*` for every server of a namespace. */
  readonly servers: readonly string[]
}

/** The scopes a client of these roles may ask for, besides reading. */
export function scopesOfRoles(roles: readonly Role[]): RoleScope[] {
  return ROLE_SCOPES.filter((scope) => roles.includes(SCOPE_ROLES[scope]))
}

/** Whether roles give a scope, whatever the token says. */
export function isScopeOfRoles(scope: Scope, roles: readonly Role[]): boolean {
  return scope === READ_SCOPE ? roles.length > 0 : roles.includes(SCOPE_ROLES[scope])
}

export function isAllowed(principal: Principal, scope: Scope): boolean {
  return principal.scopes.includes(scope) && isScopeOfRoles(scope, principal.roles)
}

/** What a route asks for: one scope, one of several, or any token that is valid here. */
export type Needs = Scope | readonly Scope[] | 'any'

/**
 * A scope counts when the token carries it *and* the account's roles allow it; a token of trusted publishing counts
 * only where that is expected. Throws `scope-missing`, `role-missing`, `token-limited`.
 */
export function assertScope(principal: Principal, needs: Needs, trustedPublishing = false): void {
  if (needs === 'any') return
  const scopes = typeof needs === 'string' ? [needs] : needs
  const scope = scopes.join(' ')
  if (principal.publishes !== undefined && !trustedPublishing) {
    throw new AuthError('token-limited', 'a token of trusted publishing publishes, and nothing else', {
      scope,
    })
  }
  if (scopes.some((one) => isAllowed(principal, one))) return
  if (!scopes.some((one) => principal.scopes.includes(one))) {
    throw new AuthError('scope-missing', `the token lacks the scope ${scopes.join(' or ')}`, { scope })
  }
  const roles = scopes.map((one) => (one === READ_SCOPE ? 'any' : SCOPE_ROLES[one])).join(' or ')
  throw new AuthError('role-missing', `the account lacks the role ${roles}`, { scope })
}
