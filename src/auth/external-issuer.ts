import { randomBytes } from 'node:crypto'
import { jwtVerify, type JWTPayload } from 'jose'
import { StoreError } from '../storage/errors.js'
import type { AccountRow, Role, Store } from '../storage/store.js'
import { AuthError } from './errors.js'
import type { Issuers } from './issuers.js'
import { ROLES } from './scopes.js'
import { assertStands } from './token-own.js'
import type { ExternalVerifier } from './token.js'

/** An issuer of access tokens that is not ours, by configuration alone. */
export interface ExternalSettings {
  /** The `iss` of its tokens, and where discovery starts. */
  readonly url: string
  /** The `aud` that its tokens must have. */
  readonly audience: string
  /** The `sub` that is an admin as long as the configuration says so. */
  readonly admin?: string | undefined
  /** A claim that lists roles; the issuer alone decides on roles then. */
  readonly rolesClaim?: string | undefined
  readonly algorithms: readonly string[]
}

interface External {
  readonly store: Store
  readonly issuers: Issuers
  readonly settings: ExternalSettings
  /** Milliseconds, for records. */
  readonly now: () => number
}

/** Access tokens of an external issuer. Each of its subjects is an account, from the first token on. */
export function openExternalIssuer(external: External): ExternalVerifier {
  const { issuers, settings } = external
  const rolesAsOf = new Map<string, number>()
  const keys = issuers.keysOf(settings.url)
  return {
    issuer: settings.url,
    async verify(token) {
      const { payload } = await jwtVerify(token, keys, {
        typ: 'at+jwt',
        algorithms: [...settings.algorithms],
        issuer: settings.url,
        audience: settings.audience,
        requiredClaims: ['exp', 'iat', 'jti', 'sub', 'client_id'],
        maxTokenAge: MAX_AGE_SECONDS,
      })
      return payload
    },
    async readPrincipal(payload) {
      const sub = word(payload, 'sub')
      const clientId = word(payload, 'client_id')
      const kind = sub === clientId ? 'service' : 'person'
      const seen = (await readSubject(external, sub)) ?? (await addSubject(external, { sub, kind, payload }))
      assertStands(seen, payload)
      const { account, owner, roles } = await followRoles(external, rolesAsOf, seen, payload)
      return { account, person: owner ?? account, clientId, roles, scopes: scopesOf(payload) }
    },
  }
}

/** Whatever life the issuer gives its tokens, none is worth more than a day here. */
const MAX_AGE_SECONDS = 86_400
const MAX_REMEMBERED = 10_000

/** A claim that names somebody: it goes into rows, so it is short and has no control characters. */
function word(payload: JWTPayload, name: string): string {
  const value = payload[name]
  if (typeof value === 'string' && /^[^\p{Cc}]{1,255}$/u.test(value)) return value
  throw new AuthError('token-invalid', `${name}: is a text of 1 to 255 characters`)
}

function scopesOf({ scope }: JWTPayload): string[] {
  return typeof scope === 'string' ? scope.split(' ').slice(0, 64) : []
}

function readSubject({ store, settings }: External, sub: string): Promise<AccountRow | undefined> {
  return store.readAccountBySubject(settings.url, sub)
}

/** A new account, whose name says nothing about the subject: names go into the public log. */
async function addSubject(
  external: External,
  { sub, kind, payload }: { sub: string; kind: AccountRow['kind']; payload: JWTPayload },
): Promise<AccountRow> {
  const { store, settings, now } = external
  const row: AccountRow = {
    account: `x-${randomName()}`,
    kind,
    roles: sub === settings.admin ? ROLES : (claimedRoles(settings, payload) ?? []),
    disabled: false,
    subject: { issuer: settings.url, sub },
    createdAt: now(),
  }
  try {
    await store.createAccount(row)
  } catch (cause) {
    // Two first requests at once: the other one was quicker.
    const other = isDuplicate(cause) ? await readSubject(external, sub) : undefined
    if (other === undefined) throw cause
    return other
  }
  await audit(external, row.account, 'account.create', { kind, roles: row.roles, external: true })
  return row
}

function isDuplicate(cause: unknown): boolean {
  return cause instanceof StoreError && cause.code === 'duplicate'
}

/** 80 bits in 16 letters. */
function randomName(): string {
  return Array.from(randomBytes(16), (byte) => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(byte & 31)).join('')
}

/**
 * The row's roles are what decisions are checked against, so they follow the claim. A token that is older than one that
 * was seen changes nothing: it may carry a role that was taken away meanwhile.
 */
async function followRoles(
  external: External,
  rolesAsOf: Map<string, number>,
  row: AccountRow,
  payload: JWTPayload,
): Promise<AccountRow> {
  const { store, settings } = external
  const { iat = 0 } = payload
  const claimed = iat < (rolesAsOf.get(row.account) ?? 0) ? undefined : claimedRoles(settings, payload)
  const roles = withAdmin(settings, row, claimed ?? row.roles)
  if (claimed !== undefined) remember(rolesAsOf, row.account, iat)
  if (isSameSet(roles, row.roles)) return row
  await store.updateAccount(row.account, { roles })
  await audit(external, row.account, 'account.roles', { roles, external: true })
  return { ...row, roles }
}

/** Known roles in the claim, a list or words; undefined when no claim decides. */
function claimedRoles({ rolesClaim }: ExternalSettings, payload: JWTPayload): Role[] | undefined {
  if (rolesClaim === undefined) return undefined
  const value = Object.hasOwn(payload, rolesClaim) ? payload[rolesClaim] : undefined
  const words: readonly unknown[] = typeof value === 'string' ? value.split(' ') : list(value)
  return ROLES.filter((role) => words.includes(role))
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]).slice(0, 256) : []
}

/** The operator's word goes before everyone's: whoever the configuration names can always administer. */
function withAdmin({ admin }: ExternalSettings, row: AccountRow, roles: readonly Role[]): readonly Role[] {
  return row.subject?.sub === admin && !roles.includes('admin') ? [...roles, 'admin'] : roles
}

function isSameSet(a: readonly Role[], b: readonly Role[]): boolean {
  return a.length === b.length && a.every((role) => b.includes(role))
}

function remember(rolesAsOf: Map<string, number>, account: string, iat: number): void {
  rolesAsOf.delete(account)
  rolesAsOf.set(account, iat)
  const oldest = rolesAsOf.keys().next()
  if (rolesAsOf.size > MAX_REMEMBERED && !oldest.done) rolesAsOf.delete(oldest.value)
}

async function audit(
  { store, now }: External,
  account: string,
  action: string,
  detail: object,
): Promise<void> {
  await store.addAuditRecord({ at: now(), account, action, target: account, detail: JSON.stringify(detail) })
}
