import { LedgerRefusal } from '../log/errors.js'
import type { BatchTx, KeyRow, NamespaceGrant, NamespaceRow } from '../storage/store.js'

type Role = KeyRow['role']

/** A key counts for an event at `index` iff added < index < invalidFrom (PROTOCOL 6). */
export function countsAt(key: KeyRow, index: number): boolean {
  return key.added < index && (key.invalidFrom === undefined || index < key.invalidFrom)
}

/** The row that lets this key act in this role now; a revoked key never does again. */
export function findActive(keys: readonly KeyRow[], kid: string, role: Role): KeyRow | undefined {
  return keys.find((key) => key.kid === kid && key.role === role && key.revoked === undefined)
}

/** Whether an account may act for a namespace: its owner, or whom an admin granted it to. */
export function actsFor(
  account: string,
  namespace: NamespaceRow | undefined,
  grant: NamespaceGrant | undefined,
): boolean {
  return namespace?.account === account || grant?.account === account
}

/** As this batch sees it, whatever was true when the request came. */
export async function assertActsFor(tx: BatchTx, namespace: string, account: string): Promise<void> {
  if (actsFor(account, await tx.readNamespace(namespace), await tx.readGrant(namespace))) return
  throw new LedgerRefusal('namespace-not-granted', 'the account does not act for this namespace', {
    namespace,
  })
}

export interface NamespaceView {
  readonly namespace: string
  readonly account?: string
  readonly keys: readonly KeyView[]
  /** Index of the latest event about the namespace: what the next event says as `after`. */
  readonly last?: number
}

export interface KeyView {
  readonly kid: string
  readonly x: string
  readonly roles: readonly Role[]
  readonly added: Partial<Record<Role, number>>
  readonly revoked?: number
  readonly invalidFrom?: number
  readonly reason?: string
}

/** A namespace with each of its keys once, whatever roles it has. */
export function viewNamespace(
  namespace: string,
  row: NamespaceRow | undefined,
  keys: readonly KeyRow[],
): NamespaceView {
  const kids = [...new Set(keys.map((key) => key.kid))]
  const indexes = [row?.index, ...keys.flatMap((key) => [key.added, key.revoked])].filter(
    (i) => i !== undefined,
  )
  return {
    namespace,
    ...(row === undefined ? {} : { account: row.account }),
    keys: kids
      .map((kid) => viewKey(keys.filter((key) => key.kid === kid)))
      .filter((key) => key !== undefined),
    ...(indexes.length === 0 ? {} : { last: Math.max(...indexes) }),
  }
}

function viewKey(rows: readonly KeyRow[]): KeyView | undefined {
  const [first] = rows
  if (first === undefined) return undefined
  const { kid, x, revoked, invalidFrom, reason } = first
  return {
    kid,
    x,
    roles: rows.map((row) => row.role),
    added: Object.fromEntries(rows.map((row) => [row.role, row.added])),
    ...(revoked === undefined ? {} : { revoked }),
    ...(invalidFrom === undefined ? {} : { invalidFrom }),
    ...(reason === undefined ? {} : { reason }),
  }
}
