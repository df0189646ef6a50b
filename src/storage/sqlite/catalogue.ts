import type { Digest } from 'countersign/core'
import {
  CATALOGUE_DESCRIBED,
  type CatalogueQuery,
  type CatalogueRow,
  type CatalogueStore,
  type Undescribed,
} from '../store/catalogue.js'
import { present, type Desk } from './desk.js'

interface CatalogueRecord {
  manifest: Digest
  server: string
  version: string
  role: CatalogueRow['role']
  status: CatalogueRow['status']
  publish_index: number
  approve_index: number
  submitted_at: number
  updated_at: number
  title: string | null
  description: string | null
}

const COLUMNS = `manifest, server, version, role, status, publish_index, approve_index, submitted_at, updated_at,
  title, description`

/** `rejected` and `pending` rows can have been approved in an earlier life of theirs. */
const PUBLIC = `approve_index < @before AND status IN ('approved', 'deprecated', 'revoked', 'withdrawn')`

const WANTED = `${PUBLIC}
  AND (@deleted OR status IN ('approved', 'deprecated'))
  AND updated_at >= @since
  AND (@search = '' OR instr(lower(server), @search) > 0 OR instr(lower(title), @search) > 0
    OR instr(lower(description), @search) > 0)`

/** What catalogues read, each in one statement; and the texts that rows from before are given once. */
export function catalogueStore({ reader, writer, read, write }: Desk): CatalogueStore {
  // Two statements, since no row value compares as greater than every version of a server.
  const list = (place: string) =>
    reader.prepare<[Bound], CatalogueRecord>(
      `SELECT ${COLUMNS} FROM manifests
       WHERE ${place} AND ${WANTED} AND (@version IS NULL OR version = @version)
       ORDER BY server, version LIMIT @limit`,
    )
  const behindServer = list('server > @server')
  const behindVersion = list('(server, version) > (@server, @place)')
  const servers = reader.prepare<[Bound], { server: string }>(
    `SELECT DISTINCT server FROM manifests WHERE server > @server AND ${WANTED} ORDER BY server LIMIT @limit`,
  )
  const versions = reader.prepare<[{ server: string; before: number }], CatalogueRecord>(
    `SELECT ${COLUMNS} FROM manifests WHERE server = @server AND ${PUBLIC} ORDER BY version`,
  )
  const undescribed = reader.prepare<[string, string, number], Undescribed>(
    `SELECT m.manifest, e.envelope FROM manifests m JOIN envelopes e USING (manifest)
     WHERE m.title IS NULL AND m.description IS NULL AND m.manifest > ?
       AND NOT EXISTS (SELECT 1 FROM facts WHERE name = ?)
     ORDER BY m.manifest LIMIT ?`,
  )
  const describe = writer.prepare(
    `UPDATE manifests SET title = ?, description = ?
     WHERE manifest = ? AND title IS NULL AND description IS NULL`,
  )
  return {
    listVersions: (query) =>
      read(() => {
        const statement = query.after?.version === undefined ? behindServer : behindVersion
        return statement.all(parametersOf(query)).map(rowOf)
      }),
    listVersionedServers: (query) => read(() => servers.all(parametersOf(query)).map(({ server }) => server)),
    readVersionsOf: (names, before) =>
      read(() => names.toSorted(bytewise).flatMap((server) => versions.all({ server, before }).map(rowOf))),
    readUndescribed: (limit, after = '' as Digest) =>
      read(() => undescribed.all(after, CATALOGUE_DESCRIBED, limit)),
    describeManifest: (digest, { title, description }) =>
      write(() => void describe.run(title ?? null, description ?? null, digest)),
  }
}

interface Bound {
  before: number
  deleted: number
  since: number
  search: string
  version: string | null
  server: string
  place: string
  limit: number
}

function parametersOf(query: CatalogueQuery): Bound {
  const { limit, before, after, search = '', since = 0, version, deleted } = query
  return {
    ...{ limit, before, since, deleted: Number(deleted), version: version ?? null },
    search: foldAscii(search),
    server: after?.server ?? '',
    place: after?.version ?? '',
  }
}

/** As `lower()` does it here: letters beyond ASCII stay as they are. */
function foldAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

function rowOf(record: CatalogueRecord): CatalogueRow {
  const { manifest, server, version, role, status } = record
  return {
    ...{ manifest, server, version, role, status },
    publishIndex: record.publish_index,
    approveIndex: record.approve_index,
    submittedAt: record.submitted_at,
    updatedAt: record.updated_at,
    ...present({ title: record.title, description: record.description }),
  }
}

function bytewise(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
