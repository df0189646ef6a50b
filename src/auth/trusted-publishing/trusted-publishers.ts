import { randomBytes } from 'node:crypto'
import { parseNamespace, parseServerName } from 'countersign/core'
import type { Store, TrustedPublisherRow } from '../../storage/store.js'
import { AuthError } from '../errors.js'
import { assertClaims, issuerOf, type Claims, type Provider } from './rules.js'

export interface TrustedPublisherRequest {
  readonly namespace: string
  /** `NAMESPACE/NAME`; every server of the namespace without it. */
  readonly server?: string | undefined
  readonly provider: Provider
  readonly issuer?: string | undefined
  readonly claims: Claims
  /** Default: whoever the namespace belongs to. */
  readonly account?: string | undefined
}

/** Workflows that may publish without a stored secret. */
export interface TrustedPublishers {
  /** Throws AuthError `trusted-publisher-invalid`, `account-unknown`, CountersignError `name-invalid`. */
  add(by: string, request: TrustedPublisherRequest): Promise<TrustedPublisherRow>
  /** By id, after `after`. */
  list(query: {
    readonly namespace?: string | undefined
    readonly after?: string | undefined
    readonly limit: number
  }): Promise<{ rows: TrustedPublisherRow[]; next?: string }>
  /** Tokens that were made for it end with it. Throws AuthError `trusted-publisher-unknown`. */
  remove(by: string, id: string): Promise<TrustedPublisherRow>
}

interface Admin {
  readonly store: Store
  /** Our public URL: never an issuer of workflows. */
  readonly issuer: string
  /** Milliseconds, for records. */
  readonly now: () => number
}

export function openTrustedPublishers(admin: Admin): TrustedPublishers {
  const { store } = admin
  return {
    add: (by, request) => addTrustedPublisher(admin, by, request),
    async list({ limit, after, namespace }) {
      const rows = await store.listTrustedPublishers({ namespace }, limit, after)
      const next = rows.length === limit ? rows.at(-1)?.id : undefined
      return { rows, ...(next === undefined ? {} : { next }) }
    },
    async remove(by, id) {
      const row = await store.readTrustedPublisher(id)
      if (row === undefined || !(await store.deleteTrustedPublisher(id))) {
        throw new AuthError('trusted-publisher-unknown', 'there is no such trusted publisher')
      }
      await audit(admin, by, 'trust.remove', row)
      return row
    },
  }
}

async function addTrustedPublisher(
  admin: Admin,
  by: string,
  request: TrustedPublisherRequest,
): Promise<TrustedPublisherRow> {
  const { store, issuer: own, now } = admin
  const namespace = parseNamespace(request.namespace)
  assertServer(namespace, request.server)
  const issuer = issuerOf(request.provider, request.issuer, own)
  assertClaims(request.provider, request.claims)
  const row: TrustedPublisherRow = {
    id: `tp-${randomBytes(10).toString('hex')}`,
    namespace,
    ...(request.server === undefined ? {} : { server: request.server }),
    issuer,
    claims: { ...request.claims },
    account: await readActingAccount(store, namespace, request.account),
    by,
    createdAt: now(),
  }
  await store.createTrustedPublisher(row)
  await audit(admin, by, 'trust.add', row)
  return row
}

function assertServer(namespace: string, server: string | undefined): void {
  if (server === undefined || parseServerName(server).namespace === namespace) return
  throw new AuthError('trusted-publisher-invalid', 'server is of another namespace')
}

/** Whom the workflow publishes as: an enabled publisher that acts for the namespace. */
async function readActingAccount(
  store: Store,
  namespace: string,
  asked: string | undefined,
): Promise<string> {
  const account = asked ?? (await readHolder(store, namespace))
  if (account === undefined) {
    throw new AuthError(
      'trusted-publisher-invalid',
      'namespace belongs to nobody here: name an account for it',
    )
  }
  const row = await store.readAccount(account)
  if (row === undefined) throw new AuthError('account-unknown', 'there is no such account')
  if (row.disabled || !row.roles.includes('publisher')) {
    throw new AuthError('trusted-publisher-invalid', 'account is disabled, or lacks the role publisher')
  }
  if (!(await store.readAccountNamespaces(account)).includes(namespace)) {
    throw new AuthError('trusted-publisher-invalid', 'account does not act for this namespace')
  }
  return account
}

async function readHolder(store: Store, namespace: string): Promise<string | undefined> {
  const held = await store.readNamespace(namespace)
  return held?.account ?? (await store.readGrant(namespace))?.account
}

async function audit(
  { store, now }: Admin,
  account: string,
  action: string,
  row: TrustedPublisherRow,
): Promise<void> {
  const { id, namespace, server, issuer, claims } = row
  // Claims name repositories and workflows, which whoever audits must see; people are not in them.
  const detail = JSON.stringify({ namespace, server, issuer, claims, account: row.account })
  await store.addAuditRecord({ at: now(), account, action, target: id, detail })
}
