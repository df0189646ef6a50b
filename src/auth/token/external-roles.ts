import type { JWTPayload } from 'jose'
import type { AccountRow, Role, Store } from '../../storage/store.js'
import { ROLES } from '../scopes.js'

export interface RoleSettings {
  /** The `sub` of a person who is made an admin; who is no longer named keeps the role until it is taken. */
  readonly admin?: string | undefined
  /** A claim that lists roles; the issuer alone decides on roles then. */
  readonly rolesClaim?: string | undefined
}

/** The roles of an external issuer's subjects. */
export interface ExternalRoles {
  /** Of a subject that was never seen. */
  first(
    subject: Pick<AccountRow, 'kind' | 'subject'>,
    payload: JWTPayload,
  ): Pick<AccountRow, 'roles' | 'rolesAt'>
  /** The account as this token may speak for it. */
  follow(row: AccountRow, payload: JWTPayload): Promise<AccountRow>
}

export function openExternalRoles(options: {
  readonly store: Pick<Store, 'updateAccount' | 'readAccount'>
  readonly settings: RoleSettings
  /** Milliseconds, when this process began to look. */
  readonly started: number
  readonly changed: (account: string, roles: readonly Role[]) => Promise<void>
}): ExternalRoles {
  const { store, settings, changed } = options
  const started = Math.floor(options.started / 1000)

  const keep = async (row: AccountRow, roles: readonly Role[]): Promise<AccountRow> => {
    if (isSameSet(roles, row.roles)) return row
    await store.updateAccount(row.account, { roles })
    await changed(row.account, roles)
    return { ...row, roles }
  }
  /** What the newest token says. Another process may have seen a newer one meanwhile: then that one's word stands. */
  const adopt = async (row: AccountRow, claimed: readonly Role[], rolesAt: number): Promise<AccountRow> => {
    const roles = withAdmin(settings, row, claimed)
    const isSame = isSameSet(roles, row.roles)
    if (isSame && row.rolesAt === rolesAt) return row
    if (!(await store.updateAccount(row.account, { roles, rolesAt }))) {
      const now = (await store.readAccount(row.account)) ?? { ...row, roles: [] }
      return keep(now, withAdmin(settings, now, now.roles))
    }
    if (!isSame) await changed(row.account, roles)
    return { ...row, roles, rolesAt }
  }
  return {
    first(subject, payload) {
      const claimed = claimedRoles(settings, payload)
      if (isNamedAdmin(settings, subject)) return { roles: ROLES }
      return claimed === undefined ? { roles: [] } : { roles: claimed, rolesAt: issuedAt(payload) }
    },
    /**
     * The row's roles are what decisions are checked against, so they follow the claim. A token that is older than one
     * that was seen, by whichever process, changes nothing: it may carry a role that was taken away meanwhile. Where
     * nobody knows whether it is, it changes nothing either, and counts for no more than both say.
     */
    follow(row, payload) {
      const claimed = claimedRoles(settings, payload)
      const iat = issuedAt(payload)
      const isOutdated = row.rolesAt !== undefined && iat < row.rolesAt
      if (claimed === undefined || isOutdated) return keep(row, withAdmin(settings, row, row.roles))
      if (row.rolesAt !== undefined || iat >= started) return adopt(row, claimed, iat)
      const both = row.roles.filter((role) => claimed.includes(role))
      return Promise.resolve({ ...row, roles: withAdmin(settings, row, both) })
    },
  }
}

/** Whole seconds: an issuer may count parts of them. */
function issuedAt({ iat = 0 }: JWTPayload): number {
  return Math.floor(iat)
}

/** Known roles in the claim, a list or words; undefined when no claim decides. */
function claimedRoles({ rolesClaim }: RoleSettings, payload: JWTPayload): Role[] | undefined {
  if (rolesClaim === undefined) return undefined
  const value = Object.hasOwn(payload, rolesClaim) ? payload[rolesClaim] : undefined
  const words: readonly unknown[] = typeof value === 'string' ? value.split(' ') : list(value)
  return ROLES.filter((role) => words.includes(role))
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]).slice(0, 256) : []
}

/** A person: where an issuer lets clients choose their names, one of them may be called like the admin. */
function isNamedAdmin({ admin }: RoleSettings, { kind, subject }: Pick<AccountRow, 'kind' | 'subject'>) {
  return kind === 'person' && subject?.sub === admin
}

/** The operator's word goes before everyone's: whoever the configuration names can always administer. */
function withAdmin(settings: RoleSettings, row: AccountRow, roles: readonly Role[]): readonly Role[] {
  return isNamedAdmin(settings, row) && !roles.includes('admin') ? [...roles, 'admin'] : roles
}

function isSameSet(a: readonly Role[], b: readonly Role[]): boolean {
  return a.length === b.length && a.every((role) => b.includes(role))
}
