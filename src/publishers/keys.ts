import { LedgerRefusal } from '../log/errors.js'
import type {
  BatchTx,
  DirectoryReads,
  KeyRow,
  NamespaceGrant,
  NamespaceRow,
  ProofRow,
} from '../storage/store.js'

type Role = KeyRow['role']

/** A key counts for an event at `index` iff added < index < invalidFrom (PROTOCOL 6). */
export function countsAt(key: KeyRow, index: number): boolean {
  return key.added < index && (key.invalidFrom === undefined || index < key.invalidFrom)
}

/** The row that lets this key act in this role now; a revoked key never does again. */
export function findActive(keys: readonly KeyRow[], kid: string, role: Role): KeyRow | undefined {
  return keys.find((key) => key.kid === kid && key.role === role && key.revoked === undefined)
}

/**
 * A key that authorities gave has to wait, so that whoever still holds an own key can object. Until then nothing it
 * signs is accepted.
 */
export function assertUsable(key: KeyRow, now: number): void {
  if (key.usableAt === undefined || key.usableAt <= now) return
  throw new LedgerRefusal('key-waiting', 'the key was given by the authorities and waits for objections', {
    kid: key.kid,
    usableAt: new Date(key.usableAt).toISOString(),
  })
}

/** A namespace whose proof lapsed takes no publication and no new key; hosts and revocations are not touched. */
export async function assertNotSuspended(reads: DirectoryReads, namespace: string): Promise<void> {
  const proof = await reads.readProof(namespace)
  if (proof?.suspended !== true) return
  throw new LedgerRefusal(
    'namespace-suspended',
    'what proved the namespace is gone: put it back, and check',
    {
      namespace,
      proof: proof.kind,
      subject: proof.subject,
    },
  )
}

/**
 * Whether an account may act for a namespace: its owner, or whom an admin granted it to. A grant says nothing where a
 * proof has said who the owner is.
 */
export function actsFor(
  account: string,
  namespace: NamespaceRow | undefined,
  grant: NamespaceGrant | undefined,
): boolean {
  if (namespace?.account === account) return true
  return grant?.account === account && (namespace === undefined || namespace.proof === 'admin')
}

/** As this batch sees it, whatever was true when the request came. */
export async function assertActsFor(tx: BatchTx, namespace: string, account: string): Promise<void> {
  const [row, grant] = [await tx.readNamespace(namespace), await tx.readGrant(namespace)]
  if (actsFor(account, row, grant)) return
  // The owner's own service account, with an admin's grant, is the owner.
  const service = grant?.account === account ? await tx.readAccount(account) : undefined
  if (row !== undefined && service?.kind === 'service' && service.owner === row.account) return
  throw new LedgerRefusal('namespace-not-granted', 'the account does not act for this namespace', {
    namespace,
  })
}

export interface NamespaceView {
  readonly namespace: string
  readonly account?: string
  readonly keys: readonly KeyView[]
  readonly proof?: ProofView
  /** Index of the latest event about the namespace: what the next event says as `after`. */
  readonly last?: number
}

/** What outside the log stands behind the namespace, and when it was looked at last. */
export interface ProofView {
  readonly kind: ProofRow['kind']
  readonly subject: string
  readonly checkedAt: string
  readonly failingSince?: string
  readonly suspended: boolean
}

export interface KeyView {
  readonly kid: string
  readonly x: string
  readonly roles: readonly Role[]
  readonly added: Partial<Record<Role, number>>
  readonly revoked?: number
  readonly invalidFrom?: number
  readonly reason?: string
  /** Of a key that authorities gave: nothing by it counts before. */
  readonly usableAt?: string
}

/** A namespace with each of its keys once, whatever roles it has. */
export function viewNamespace(
  namespace: string,
  row: NamespaceRow | undefined,
  keys: readonly KeyRow[],
  proof?: ProofRow,
): NamespaceView {
  const kids = [...new Set(keys.map((key) => key.kid))]
  const indexes = [row?.index, ...keys.flatMap((key) => [key.added, key.revoked])].filter(
    (i) => i !== undefined,
  )
  return {
    namespace,
    ...(row === undefined ? {} : { account: row.account }),
    ...(proof === undefined ? {} : { proof: viewProof(proof) }),
    keys: kids
      .map((kid) => viewKey(keys.filter((key) => key.kid === kid)))
      .filter((key) => key !== undefined),
    ...(indexes.length === 0 ? {} : { last: Math.max(...indexes) }),
  }
}

export function viewProof({ kind, subject, checkedAt, failingSince, suspended }: ProofRow): ProofView {
  return {
    ...{ kind, subject, checkedAt: new Date(checkedAt).toISOString(), suspended },
    ...(failingSince === undefined ? {} : { failingSince: new Date(failingSince).toISOString() }),
  }
}

function viewKey(rows: readonly KeyRow[]): KeyView | undefined {
  const [first] = rows
  if (first === undefined) return undefined
  const { kid, x, revoked, invalidFrom, reason } = first
  const usableAt = rows.find((row) => row.usableAt !== undefined)?.usableAt
  return {
    kid,
    x,
    roles: rows.map((row) => row.role),
    added: Object.fromEntries(rows.map((row) => [row.role, row.added])),
    ...(revoked === undefined ? {} : { revoked }),
    ...(invalidFrom === undefined ? {} : { invalidFrom }),
    ...(reason === undefined ? {} : { reason }),
    ...(usableAt === undefined ? {} : { usableAt: new Date(usableAt).toISOString() }),
  }
}
