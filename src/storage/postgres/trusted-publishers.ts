import { createHash } from 'node:crypto'
import { present, type Desk } from './desk.js'
import { openSweep } from './sweep.js'
import type { TrustedPublisherRow, TrustedPublisherStore } from '../store.js'

interface Stored {
  id: string
  namespace: string
  server: string | null
  issuer: string
  claims: string
  account: string
  made_by: string
  created_at: number
}

const SWEPT = { table: 'used_once', key: 'kind, value', expires: 'expires_at', perSecond: 1 } as const

const COLUMNS = 'id, namespace, server, issuer, claims, account, made_by, created_at'
const LIST = `SELECT ${COLUMNS} FROM trusted_publishers WHERE id > $1
  AND ($2::text IS NULL OR namespace = $2) AND ($3::text IS NULL OR issuer = $3) ORDER BY id LIMIT $4`

/** One statement: whoever says it first, in whichever process, is the one that changed a row. */
const USE = `INSERT INTO used_once AS used (kind, value, expires_at) VALUES ($1, $2, $3)
  ON CONFLICT (kind, value) DO UPDATE SET expires_at = excluded.expires_at WHERE used.expires_at <= $4`

/** Workflows that may publish without a stored secret, and what may be said once only. */
export function trustedPublisherStore({ db, now, seconds }: Desk): TrustedPublisherStore {
  const sweep = openSweep(db, now, SWEPT)
  return {
    async createTrustedPublisher(row) {
      await db.run(
        `INSERT INTO trusted_publishers (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
        columnsOf(row),
      )
    },
    async readTrustedPublisher(id) {
      const stored = await db.get<Stored>(`SELECT ${COLUMNS} FROM trusted_publishers WHERE id = $1`, [id])
      return stored === undefined ? undefined : rowOf(stored)
    },
    async listTrustedPublishers({ namespace = null, issuer = null }, limit, after = '') {
      return (await db.all<Stored>(LIST, [after, namespace, issuer, limit])).map(rowOf)
    },
    deleteTrustedPublisher: async (id) =>
      !id.includes('\0') && (await db.run('DELETE FROM trusted_publishers WHERE id = $1', [id])) === 1,
    async useOnce(kind, value, expiresAt) {
      const at = seconds()
      await sweep()
      return expiresAt > at && (await db.run(USE, [kind, nameOf(value), Math.ceil(expiresAt), at])) === 1
    },
  }
}

/** An index holds no long text and no NUL; strangers choose what their proofs are called. */
function nameOf(value: string): string {
  if (value.length <= 256 && !value.includes('\0')) return value
  return `sha256:${createHash('sha256').update(value, 'utf8').digest('hex')}`
}

function rowOf({ id, namespace, server, issuer, claims, account, made_by, created_at }: Stored) {
  return {
    ...{ id, namespace, issuer, account, by: made_by, createdAt: created_at },
    ...present({ server }),
    claims: JSON.parse(claims) as Record<string, string>,
  } satisfies TrustedPublisherRow
}

function columnsOf(row: TrustedPublisherRow): (string | number | null)[] {
  return [
    ...[row.id, row.namespace, row.server ?? null, row.issuer, JSON.stringify(row.claims)],
    ...[row.account, row.by, row.createdAt],
  ]
}
