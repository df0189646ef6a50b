import { present, type Desk } from './desk.js'
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

interface Asked {
  after: string
  limit: number
  namespace: string | null
  issuer: string | null
}

/** Workflows that may publish without a stored secret, and what may be said once only. */
export function trustedPublisherStore({ reader, writer, read, write, seconds }: Desk): TrustedPublisherStore {
  const one = reader.prepare<[string], Stored>('SELECT * FROM trusted_publishers WHERE id = ?')
  const list = reader.prepare<[Asked], Stored>(
    `SELECT * FROM trusted_publishers WHERE id > @after
       AND (@namespace IS NULL OR namespace = @namespace) AND (@issuer IS NULL OR issuer = @issuer)
     ORDER BY id LIMIT @limit`,
  )
  const insert = writer.prepare(`INSERT INTO trusted_publishers
    (id, namespace, server, issuer, claims, account, made_by, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
  const drop = writer.prepare('DELETE FROM trusted_publishers WHERE id = ?')
  const sweep = writer.prepare('DELETE FROM used_once WHERE expires_at <= ?')
  const use = writer.prepare(
    'INSERT INTO used_once (kind, value, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  )
  return {
    createTrustedPublisher: (row) => write(() => void insert.run(...columnsOf(row))),
    readTrustedPublisher: (id) =>
      read(() => {
        const stored = one.get(id)
        return stored === undefined ? undefined : rowOf(stored)
      }),
    listTrustedPublishers: ({ namespace = null, issuer = null }, limit, after = '') =>
      read(() => list.all({ namespace, issuer, limit, after }).map(rowOf)),
    deleteTrustedPublisher: (id) => write(() => drop.run(id).changes === 1),
    useOnce: (kind, value, expiresAt) =>
      write(() => {
        const now = seconds()
        sweep.run(now)
        return expiresAt > now && use.run(kind, value, Math.ceil(expiresAt)).changes === 1
      }),
  }
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
