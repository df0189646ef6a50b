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

interface Asked {
  after: string
  limit: number
  namespace: string | null
  account: string | null
}

/** Who is told of what happens, and how far they were told. */
export function webhookStore({ reader, writer, read, write }: Desk): WebhookStore {
  const one = reader.prepare<[string], Stored>('SELECT * FROM webhooks WHERE id = ?')
  const list = reader.prepare<[Asked], Stored>(
    `SELECT * FROM webhooks WHERE id > @after
       AND (@namespace IS NULL OR namespace = @namespace) AND (@account IS NULL OR account = @account)
     ORDER BY id LIMIT @limit`,
  )
  const due = writer.prepare<[number, number], Stored>(
    `SELECT * FROM webhooks WHERE disabled = 0 AND next_at <= ?
       AND last_record < coalesce((SELECT max(id) FROM audit), 0) ORDER BY next_at, id LIMIT ?`,
  )
  const claim = writer.prepare('UPDATE webhooks SET next_at = ? WHERE id = ?')
  const insert =
    writer.prepare(`INSERT INTO webhooks (id, url, namespace, events, account, last_record, failures,
    next_at, disabled, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const update = writer.prepare(`UPDATE webhooks SET last_record = coalesce(?, last_record),
    failures = coalesce(?, failures), next_at = coalesce(?, next_at), disabled = coalesce(?, disabled)
    WHERE id = ?`)
  const drop = writer.prepare('DELETE FROM webhooks WHERE id = ?')
  return {
    createWebhook: (row) => write(() => void insert.run(...columnsOf(row))),
    readWebhook: (id) =>
      read(() => {
        const stored = one.get(id)
        return stored === undefined ? undefined : rowOf(stored)
      }),
    listWebhooks: ({ namespace = null, account = null }, limit, after = '') =>
      read(() => list.all({ namespace, account, limit, after }).map(rowOf)),
    claimDueWebhooks: (now, limit, until) =>
      write(() => {
        const rows = due.all(now, limit)
        for (const { id } of rows) claim.run(until, id)
        return rows.map((stored) => rowOf({ ...stored, next_at: until }))
      }),
    updateWebhook: (id, { cursor = null, failures = null, nextAt = null, disabled }) =>
      write(() => {
        const off = disabled === undefined ? null : Number(disabled)
        return update.run(cursor, failures, nextAt, off, id).changes === 1
      }),
    deleteWebhook: (id) => write(() => drop.run(id).changes === 1),
  }
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
