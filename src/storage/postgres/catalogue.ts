import type { Digest } from 'countersign/core'
import {
  CATALOGUE_DESCRIBED,
  type CatalogueQuery,
  type CatalogueRow,
  type CatalogueStore,
  type Undescribed,
} from '../store/catalogue.js'
import { present, type Desk, type Value } from './desk.js'
import { shown } from './manifests.js'

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
const PUBLIC = `status IN ('approved', 'deprecated', 'revoked', 'withdrawn') AND approve_index < `

/** Under "C", lower() knows the letters of ASCII alone, whatever the database is set to. */
const holds = (column: string, parameter: string): string =>
  `strpos(lower(${column} COLLATE "C"), ${parameter}) > 0`

const WANTED = `${PUBLIC} $1::bigint
  AND ($2::boolean OR status IN ('approved', 'deprecated'))
  AND updated_at >= $3::bigint
  AND ($4::text = '' OR ${['server', 'title', 'description'].map((column) => holds(column, '$4::text')).join(' OR ')})`

const LIST = (place: string): string => `SELECT ${COLUMNS} FROM manifests
  WHERE ${WANTED} AND ${place} AND ($7::text IS NULL OR version = $7)
  ORDER BY server COLLATE "C", version COLLATE "C" LIMIT $5`
// Nothing of a row compares as greater than every version of a server, so that is a statement of its own.
const BEHIND_SERVER = LIST('server COLLATE "C" > $6::text')
const BEHIND_VERSION = LIST(`(server COLLATE "C", version COLLATE "C") > ($6::text, $8::text)`)

const SERVERS = `SELECT DISTINCT server COLLATE "C" AS server FROM manifests
  WHERE ${WANTED} AND server COLLATE "C" > $6::text ORDER BY 1 LIMIT $5`

const VERSIONS = `SELECT ${COLUMNS} FROM manifests WHERE server = ANY($1::text[]) AND ${PUBLIC} $2::bigint
  ORDER BY server COLLATE "C", version COLLATE "C"`

const UNDESCRIBED = `SELECT m.manifest, e.envelope FROM manifests m JOIN envelopes e USING (manifest)
  WHERE m.title IS NULL AND m.description IS NULL AND m.manifest COLLATE "C" > $1::text
    AND NOT EXISTS (SELECT 1 FROM facts WHERE name = $2)
  ORDER BY m.manifest COLLATE "C" LIMIT $3`

const DESCRIBE = `UPDATE manifests SET title = $1, description = $2
  WHERE manifest = $3 AND title IS NULL AND description IS NULL`

/** What catalogues read, each in one statement; and the texts that rows from before are given once. */
export function catalogueStore({ db }: Pick<Desk, 'db'>): CatalogueStore {
  return {
    async listVersions(query) {
      const values = [...filtersOf(query), query.version ?? null]
      const place = query.after?.version
      const rows =
        place === undefined
          ? await db.all<CatalogueRecord>(BEHIND_SERVER, values)
          : await db.all<CatalogueRecord>(BEHIND_VERSION, [...values, place])
      return rows.map(rowOf)
    },
    async listVersionedServers(query) {
      return (await db.all<{ server: string }>(SERVERS, filtersOf(query))).map(({ server }) => server)
    },
    readVersionsOf: async (servers, before) =>
      (await db.all<CatalogueRecord>(VERSIONS, [servers, before])).map(rowOf),
    readUndescribed: (limit, after) =>
      db.all<Undescribed>(UNDESCRIBED, [after ?? '', CATALOGUE_DESCRIBED, limit]),
    async describeManifest(digest, { title, description }) {
      await db.run(DESCRIBE, [shown(title), shown(description), digest])
    },
  }
}

/** $1 to $6. */
function filtersOf(query: Omit<CatalogueQuery, 'version'>): Value[] {
  const { limit, before, after, search = '', since = 0, deleted } = query
  return [before, deleted ? 'true' : 'false', since, foldAscii(search), limit, after?.server ?? '']
}

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
