import type { Connection } from './connection.js'
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

/** Reads of the audit trail, on whichever connection. */
export function auditReads(db: Connection) {
  const since = db.prepare<[number, number], Stored>('SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT ?')
  // One statement for each set of filters, so that each can use the index of what it asks for.
  const newest = (columns: readonly string[]) => {
    const conditions = [...columns.map((column) => `${column} = ?`), 'id < ?'].join(' AND ')
    return db.prepare<(string | number)[], Stored>(
      `SELECT * FROM audit WHERE ${conditions} ORDER BY id DESC LIMIT ?`,
    )
  }
  const prepared = new Map<string, ReturnType<typeof newest>>()
  return {
    audit: (limit: number, before = Number.MAX_SAFE_INTEGER, filter: AuditFilter = {}): AuditRecord[] => {
      const columns = FILTERS.filter((column) => filter[column] !== undefined)
      const key = columns.join()
      const statement = prepared.get(key) ?? newest(columns)
      prepared.set(key, statement)
      const values = columns.map((column) => filter[column] ?? '')
      return statement.all(...values, before, limit).map(recordOf)
    },
    auditSince: (id: number, limit: number): AuditRecord[] => since.all(id, limit).map(recordOf),
  }
}

function recordOf({ idx, ...record }: Stored): AuditRecord {
  return { ...record, ...(idx !== null && { index: idx }) }
}

/** The one write of the audit trail; the caller holds the transaction. */
export function auditWrite(db: Connection): (row: AuditRow) => void {
  const insert = db.prepare(
    'INSERT INTO audit (at, account, action, target, detail, idx) VALUES (?, ?, ?, ?, ?, ?)',
  )
  return (row) => void insert.run(row.at, row.account, row.action, row.target, row.detail, row.index ?? null)
}
