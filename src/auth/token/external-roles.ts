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
  first(subject: Pick<AccountRow, 'kind' | 'subject'>, payload: JWTPayload): readonly Role[]
  /** The account as this token may speak for it. */
  follow(row: AccountRow, payload: JWTPayload): Promise<AccountRow>
}

export function openExternalRoles(options: {
  readonly store: Pick<Store, 'updateAccount'>
  readonly settings: RoleSettings
  /** Milliseconds, when this process began to look. */
  readonly started: number
  readonly changed: (account: string, roles: readonly Role[]) => Promise<void>
}): ExternalRoles {
  const { store, settings, started, changed } = options
  const seen = openSeen(Math.floor(started / 1000))

  const keep = async (row: AccountRow, roles: readonly Role[]): Promise<AccountRow> => {
    if (isSameSet(roles, row.roles)) return row
    await store.updateAccount(row.account, { roles })
    await changed(row.account, roles)
    return { ...row, roles }
  }
  return {
    first: (subject, payload) =>
      isNamedAdmin(settings, subject) ? ROLES : (claimedRoles(settings, payload) ?? []),
    /**
     * The row's roles are what decisions are checked against, so they follow the claim. A token that is older than one
     * that was seen changes nothing: it may carry a role that was taken away meanwhile. Where nobody knows whether it
     * is, it changes nothing either, and counts for no more than both say.
     */
    follow(row, payload) {
      const claimed = claimedRoles(settings, payload)
      if (claimed === undefined) return keep(row, withAdmin(settings, row, row.roles))
      switch (seen.compare(row.account, payload.iat ?? 0)) {
        case 'newest':
          return keep(row, withAdmin(settings, row, claimed))
        case 'outdated':
          return keep(row, withAdmin(settings, row, row.roles))
        case 'unknown': {
          const both = row.roles.filter((role) => claimed.includes(role))
          return Promise.resolve({ ...row, roles: withAdmin(settings, row, both) })
        }
      }
    },
  }
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

const MAX_REMEMBERED = 10_000

/** Of the newest token that said what roles an account has: POSIX seconds. */
interface Seen {
  /** How a token of this time compares with what was seen before; the newest one is remembered. */
  compare(account: string, iat: number): 'newest' | 'outdated' | 'unknown'
}

/** What an earlier process saw, or what was forgotten, is not known. */
function openSeen(started: number): Seen {
  const times = new Map<string, number>()
  let floor = started
  const remember = (account: string, iat: number): void => {
    times.delete(account)
    times.set(account, iat)
    const oldest = times.entries().next()
    if (times.size <= MAX_REMEMBERED || oldest.done === true) return
    floor = Math.max(floor, oldest.value[1])
    times.delete(oldest.value[0])
  }
  return {
    compare(account, iat) {
      const newest = times.get(account)
      if (newest === undefined && iat < floor) return 'unknown'
      if (newest !== undefined && iat < newest) return 'outdated'
      remember(account, iat)
      return 'newest'
    },
  }
}
