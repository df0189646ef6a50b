import { setImmediate } from 'node:timers/promises'
import type { Connection, Step } from './connection.js'
import { present } from './desk.js'
import { proofReads } from './proofs.js'
import type { DirectoryReads, KeyRow, NamespaceGrant, NamespaceRow } from '../store.js'

interface KeyRecord {
  namespace: string
  kid: string
  role: KeyRow['role']
  x: string
  added: number
  revoked: number | null
  invalid_from: number | null
  reason: NonNullable<KeyRow['reason']> | null
  endorser: string | null
  usable_at: number | null
}

/** How many lines of a long list are read before the process may turn to something else. */
const LINES_A_TURN = 2048

/** Reads of the directory, on whichever connection. */
export function directoryReads(db: Connection, now: () => number) {
  const namespace = db.prepare<[string], NamespaceRow>(
    'SELECT namespace, account, proof, idx AS "index" FROM namespaces WHERE namespace = ?',
  )
  const keys = db.prepare<[string], KeyRecord>(
    'SELECT * FROM keys WHERE namespace = ? ORDER BY added, role, kid',
  )
  const revocations = db.prepare<[], { line: Buffer }>(
    'SELECT line FROM revocations WHERE removed IS NULL ORDER BY line',
  )
  const changes = db.prepare<[number, number], { line: Buffer; stands: 0 | 1 }>(
    `SELECT line, max(removed IS NULL) AS stands FROM revocations
     WHERE line IN (SELECT line FROM revocations WHERE added >= ? OR removed >= ?) GROUP BY line`,
  )
  const standing = db.prepare<[Buffer]>('SELECT 1 FROM revocations WHERE line = ? AND removed IS NULL')
  return {
    ...proofReads(db, now),
    namespace: (name: string): NamespaceRow | undefined => namespace.get(name),
    keys: (name: string): KeyRow[] => keys.all(name).map(keyOf),
    revocations: (): string[] => revocations.all().map(({ line }) => line.toString('utf8')),
    revocationChanges: (from: number): { line: string; stands: boolean }[] =>
      changes
        .all(from, from)
        .map(({ line, stands }) => ({ line: line.toString('utf8'), stands: stands === 1 })),
    isAnyRevoked: (lines: readonly string[]): boolean =>
      lines.some((line) => standing.get(Buffer.from(line, 'utf8')) !== undefined),
  }
}

/** The same as the port promises them; `step` says when and whether a read may run. */
export function directoryPort(reads: ReturnType<typeof directoryReads>, step: Step): DirectoryReads {
  return {
    readProof: (name) => step(() => reads.proof(name)),
    readNamespace: (name) => step(() => reads.namespace(name)),
    readKeys: (name) => step(() => reads.keys(name)),
    readRevocations: () => step(() => reads.revocations()),
    readRevocationChanges: (from) => step(() => reads.revocationChanges(from)),
    isAnyRevoked: (lines) => step(() => reads.isAnyRevoked(lines)),
  }
}

function keyOf(record: KeyRecord): KeyRow {
  const { namespace, kid, x, role, added, revoked, reason, endorser } = record
  return {
    ...{ namespace, kid, x, role, added },
    ...present({ revoked, invalidFrom: record.invalid_from, reason }),
    ...present({ endorser, usableAt: record.usable_at }),
  }
}

/** What only the store asks, outside a batch. */
export function directoryLookups(db: Connection) {
  const owned = db.prepare<[string, string], { namespace: string }>(
    `SELECT namespace FROM namespaces WHERE account = ?
     UNION SELECT g.namespace FROM namespace_grants g
       LEFT JOIN namespaces n ON n.namespace = g.namespace
       LEFT JOIN accounts a ON a.account = g.account AND a.kind = 'service'
     WHERE g.account = ? AND (n.namespace IS NULL OR n.proof = 'admin' OR a.owner = n.account)
     ORDER BY 1`,
  )
  const named = db.prepare<[string], { as_of: number }>('SELECT as_of FROM revocation_lists WHERE root = ?')
  const standing = db.prepare<[number, number, Buffer, number], { line: Buffer }>(
    `SELECT line FROM revocations WHERE added < ? AND (removed IS NULL OR removed > ?) AND line > ?
     ORDER BY line LIMIT ?`,
  )
  return {
    grant: grantRead(db),
    accountNamespaces: (account: string): string[] =>
      owned.all(account, account).map(({ namespace }) => namespace),
    listPosition: (rootHex: string): number | undefined => named.get(rootHex)?.as_of,
    /** Lines that stood at this position, after `last`; what stood then does not change any more. */
    revocationPage: (asOf: number, last: string | undefined): string[] => {
      const after = Buffer.from(last ?? '', 'utf8')
      return standing.all(asOf, asOf, after, LINES_A_TURN).map(({ line }) => line.toString('utf8'))
    },
  }
}

/** A named list in turns: a hundred thousand lines read at once would hold up everybody. */
export async function readRevocationList(
  {
    listPosition,
    revocationPage,
  }: Pick<ReturnType<typeof directoryLookups>, 'listPosition' | 'revocationPage'>,
  read: Step,
  rootHex: string,
): Promise<string[] | undefined> {
  const asOf = await read(() => listPosition(rootHex))
  if (asOf === undefined) return undefined
  const lines: string[] = []
  for (;;) {
    const page = await read(() => revocationPage(asOf, lines.at(-1)))
    lines.push(...page)
    if (page.length < LINES_A_TURN) return lines
    await setImmediate()
  }
}

export function grantRead(db: Connection): (namespace: string) => NamespaceGrant | undefined {
  const grant = db.prepare<[string], NamespaceGrant>(
    'SELECT account, granted_by AS "by" FROM namespace_grants WHERE namespace = ?',
  )
  return (namespace) => grant.get(namespace)
}

/** Writes of the directory; the caller holds the transaction. */
export function directoryWrites(db: Connection) {
  const namespace = db.prepare(
    `INSERT INTO namespaces (namespace, account, proof, idx) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET account = excluded.account, proof = excluded.proof, idx = excluded.idx`,
  )
  const key = db.prepare(`INSERT OR REPLACE INTO keys
    (namespace, kid, role, x, added, revoked, invalid_from, reason, endorser, usable_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const grant = db.prepare(
    'INSERT OR REPLACE INTO namespace_grants (namespace, account, granted_by) VALUES (?, ?, ?)',
  )
  const revoke = db.prepare('INSERT INTO revocations (line, added) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const restore = db.prepare('UPDATE revocations SET removed = ? WHERE line = ? AND removed IS NULL')
  const nameList = db.prepare(
    'INSERT INTO revocation_lists (root, as_of) VALUES (?, ?) ON CONFLICT DO NOTHING',
  )
  const about = db.prepare(
    `INSERT INTO latest_about (target, idx) VALUES (?, ?)
     ON CONFLICT DO UPDATE SET idx = max(idx, excluded.idx)`,
  )
  return {
    putNamespace: (row: NamespaceRow): void =>
      void namespace.run(row.namespace, row.account, row.proof, row.index),
    putKey: (row: KeyRow): void => {
      const { namespace: name, kid, role, x, added, revoked = null, invalidFrom = null } = row
      const { reason = null, endorser = null, usableAt = null } = row
      key.run(name, kid, role, x, added, revoked, invalidFrom, reason, endorser, usableAt)
    },
    grant: (name: string, account: string, by: string): void => void grant.run(name, account, by),
    revoke: (line: string, index: number): void => void revoke.run(Buffer.from(line, 'utf8'), index),
    restore: (line: string, index: number): void => void restore.run(index, Buffer.from(line, 'utf8')),
    nameList: (rootHex: string, asOf: number): void => void nameList.run(rootHex, asOf),
    about: (target: string, index: number): void => void about.run(target, index),
  }
}
