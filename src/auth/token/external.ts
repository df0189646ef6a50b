import { randomBytes } from 'node:crypto'
import { jwtVerify, type JWTPayload } from 'jose'
import { StoreError } from '../../storage/errors.js'
import type { AccountRow, Store } from '../../storage/store.js'
import { AuthError } from '../errors.js'
import { openExternalRoles, type ExternalRoles, type RoleSettings } from './external-roles.js'
import type { Issuers } from '../issuers.js'
import { assertStands } from './own.js'
import type { ExternalVerifier } from './verifier.js'

/** An issuer of access tokens that is not ours, by configuration alone. */
export interface ExternalSettings extends RoleSettings {
  /** The `iss` of its tokens, and where discovery starts. */
  readonly url: string
  /** The `aud` that its tokens must have. */
  readonly audience: string
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
  const { store, issuers, settings, now } = external
  const roles = openExternalRoles({
    ...{ store, settings, started: now() },
    changed: (account, changed) =>
      audit(external, account, 'account.roles', { roles: changed, external: true }),
  })
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
        clockTolerance: CLOCK_SECONDS,
      })
      return payload
    },
    async readPrincipal(payload) {
      const sub = word(payload, 'sub')
      const clientId = word(payload, 'client_id')
      const kind = sub === clientId ? 'service' : 'person'
      const known = await readSubject(external, sub)
      const row = known ?? (await addSubject(external, roles, { sub, kind, payload }))
      assertKind(row, kind)
      assertStands(row, payload)
      const { account, owner, roles: current } = await roles.follow(row, payload)
      return { account, person: owner ?? account, clientId, roles: current, scopes: scopesOf(payload) }
    },
  }
}

/** Whatever life the issuer gives its tokens, none is worth more than a day here. */
const MAX_AGE_SECONDS = 86_400
/** Its clock and ours are never quite the same. */
const CLOCK_SECONDS = 30

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
  roles: ExternalRoles,
  { sub, kind, payload }: { sub: string; kind: AccountRow['kind']; payload: JWTPayload },
): Promise<AccountRow> {
  const { store, settings, now } = external
  const subject = { issuer: settings.url, sub }
  const row: AccountRow = {
    account: `x-${randomName()}`,
    ...roles.first({ kind, subject }, payload),
    ...{ kind, subject, disabled: false, createdAt: now() },
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

/**
 * RFC 9068 5: a client may be called like a person, where an issuer lets clients choose their names. What people are
 * trusted with is not for it.
 */
function assertKind(row: AccountRow, kind: AccountRow['kind']): void {
  if (row.kind === kind) return
  throw new AuthError('token-invalid', `sub: is a ${row.kind} here, and the token is that of a ${kind}`)
}

function isDuplicate(cause: unknown): boolean {
  return cause instanceof StoreError && cause.code === 'duplicate'
}

/** 80 bits in 16 letters. */
function randomName(): string {
  return Array.from(randomBytes(16), (byte) => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(byte & 31)).join('')
}

async function audit(
  { store, now }: External,
  account: string,
  action: string,
  detail: object,
): Promise<void> {
  await store.addAuditRecord({ at: now(), account, action, target: account, detail: JSON.stringify(detail) })
}
