import type { Queries, Value } from './desk.js'
import type { AuditFilter, AuditRecord, AuditRow } from '../store.js'

interface Stored {
  id: number
  at: number
  account: string
  action: string
  target: string
  detail: string
  idx: number | null
}

const FILTERS = ['account', 'action', 'target'] as const
const COLUMNS = 'id, at, account, action, target, detail, idx'

export interface AuditReads {
  readAudit(limit: number, before?: number, filter?: AuditFilter): Promise<AuditRecord[]>
  readAuditSince(id: number, limit: number): Promise<AuditRecord[]>
}

/** Reads of the audit trail. */
export function auditReads(db: Queries): AuditReads {
  return {
    async readAudit(limit, before = Number.MAX_SAFE_INTEGER, filter = {}) {
      const columns = FILTERS.filter((column) => filter[column] !== undefined)
      const conditions = [...columns.map((column, at) => `${column} = $${at + 3}`), 'id < $1'].join(' AND ')
      const values: Value[] = [before, limit, ...columns.map((column) => filter[column] ?? '')]
      const sql = `SELECT ${COLUMNS} FROM audit WHERE ${conditions} ORDER BY id DESC LIMIT $2`
      return (await db.all<Stored>(sql, values)).map(recordOf)
    },
    async readAuditSince(id, limit) {
      const sql = `SELECT ${COLUMNS} FROM audit WHERE id > $1 ORDER BY id LIMIT $2`
      return (await db.all<Stored>(sql, [id, limit])).map(recordOf)
    },
  }
}

function recordOf({ idx, ...record }: Stored): AuditRecord {
  return { ...record, ...(idx !== null && { index: idx }) }
}

/**
 * Whoever reads on from an id must never be overtaken by a lower one, and a sequence alone lets a transaction that took
 * its number first commit last. So numbers are given out under a lock that ends with the transaction: the next writer
 * is let in when what this one wrote can be read. The number of the lock is ours alone within this database.
 */
const AUDIT_LOCK = 0x61756474

const INSERT = `WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(${AUDIT_LOCK}) IS NULL AS mine)
  INSERT INTO audit (at, account, action, target, detail, idx)
  SELECT row.at, row.account, row.action, row.target, row.detail, row.idx FROM turn,
    unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
      WITH ORDINALITY AS row (at, account, action, target, detail, idx, place)
  ORDER BY row.place`

/**
 * Writes records in this order. Within a longer transaction it comes last: every other process's records wait until
 * that one has ended.
 */
export async function writeAudit(db: Queries, rows: readonly AuditRow[]): Promise<void> {
  if (rows.length === 0) return
  await db.run(INSERT, [
    ...[rows.map(({ at }) => at), rows.map(({ account }) => account), rows.map(({ action }) => action)],
    ...[rows.map(({ target }) => target), rows.map(({ detail }) => detail)],
    rows.map(({ index }) => index ?? null),
  ])
}

/** The records of one batch: kept until `flush`, which is the last thing before its COMMIT. */
export interface BatchAudit {
  add(row: AuditRow): void
  flush(): Promise<void>
}

export function batchAudit(db: Queries): BatchAudit {
  const rows: AuditRow[] = []
  return {
    add: (row) => void rows.push(row),
    flush: () => writeAudit(db, rows.splice(0)),
  }
}
