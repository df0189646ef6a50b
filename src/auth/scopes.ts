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

/** The scopes a client of these roles may ask for. */
export function scopesOfRoles(roles: readonly Role[]): Scope[] {
  return SCOPES.filter((scope) => roles.includes(SCOPE_ROLES[scope]))
}

export function isAllowed(principal: Principal, scope: Scope): boolean {
  return principal.scopes.includes(scope) && principal.roles.includes(SCOPE_ROLES[scope])
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
  const roles = scopes.map((one) => SCOPE_ROLES[one]).join(' or ')
  throw new AuthError('role-missing', `the account lacks the role ${roles}`, { scope })
}
