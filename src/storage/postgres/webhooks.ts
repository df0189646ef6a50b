import { present, type Desk } from './desk.js'
import type { WebhookRow, WebhookStore } from '../store.js'

interface Stored {
  id: string
  url: string
  namespace: string | null
  events: string
  account: string
  last_record: number
  failures: number
  next_at: number
  disabled: 0 | 1
  created_at: number
}

interface Claimed extends Stored {
  due_at: number
}

const NAMES = [
  ...['id', 'url', 'namespace', 'events', 'account', 'last_record', 'failures', 'next_at'],
  ...['disabled', 'created_at'],
]
const COLUMNS = NAMES.join(', ')
const LIST = `SELECT ${COLUMNS} FROM webhooks WHERE id > $1
  AND ($2::text IS NULL OR namespace = $2) AND ($3::text IS NULL OR account = $3) ORDER BY id LIMIT $4`

/** What another process is claiming at this moment is passed over, and what it has claimed is no longer due. */
const CLAIM = `WITH due AS MATERIALIZED (
    SELECT id, next_at AS due_at FROM webhooks WHERE disabled = 0 AND next_at <= $1
      AND last_record < coalesce((SELECT max(id) FROM audit), 0)
    ORDER BY next_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
  UPDATE webhooks SET next_at = $3 FROM due WHERE webhooks.id = due.id
  RETURNING ${NAMES.map((name) => `webhooks.${name}`).join(', ')}, due.due_at`

const UPDATE = `UPDATE webhooks SET last_record = coalesce($1, last_record), failures = coalesce($2, failures),
  next_at = coalesce($3, next_at), disabled = coalesce($4, disabled) WHERE id = $5`

/** Who is told of what happens, and how far they were told. */
export function webhookStore({ db }: Pick<Desk, 'db'>): WebhookStore {
  return {
    async createWebhook(row) {
      await db.run(
        `INSERT INTO webhooks (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        columnsOf(row),
      )
    },
    async readWebhook(id) {
      const stored = await db.get<Stored>(`SELECT ${COLUMNS} FROM webhooks WHERE id = $1`, [id])
      return stored === undefined ? undefined : rowOf(stored)
    },
    async listWebhooks({ namespace = null, account = null }, limit, after = '') {
      return (await db.all<Stored>(LIST, [after, namespace, account, limit])).map(rowOf)
    },
    async claimDueWebhooks(now, limit, until) {
      const claimed = await db.all<Claimed>(CLAIM, [now, limit, until])
      return claimed.sort(byTurn).map(rowOf)
    },
    async updateWebhook(id, { cursor = null, failures = null, nextAt = null, disabled }) {
      const off = disabled === undefined ? null : Number(disabled)
      return !id.includes('\0') && (await db.run(UPDATE, [cursor, failures, nextAt, off, id])) === 1
    },
    deleteWebhook: async (id) =>
      !id.includes('\0') && (await db.run('DELETE FROM webhooks WHERE id = $1', [id])) === 1,
  }
}

function byTurn(a: Claimed, b: Claimed): number {
  return a.due_at - b.due_at || (a.id < b.id ? -1 : 1)
}

function rowOf(stored: Stored): WebhookRow {
  const { id, url, account, failures } = stored
  return {
    ...{ id, url, account, failures, cursor: stored.last_record, nextAt: stored.next_at },
    ...present({ namespace: stored.namespace }),
    events: JSON.parse(stored.events) as string[],
    ...{ disabled: stored.disabled === 1, createdAt: stored.created_at },
  }
}

function columnsOf(row: WebhookRow): (string | number | null)[] {
  return [
    ...[row.id, row.url, row.namespace ?? null, JSON.stringify(row.events), row.account],
    ...[row.cursor, row.failures, row.nextAt, Number(row.disabled), row.createdAt],
  ]
}
