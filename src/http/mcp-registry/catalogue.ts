import { parseServerName } from 'countersign/core'
import type { CataloguePlace, CatalogueRow } from '../../storage/store.js'
import { HttpProblem } from '../problems.js'
import { entryOf, pageOf, type CatalogueRooms, type Listed } from './entries.js'
import { isDeleted, latestByServer, newestFirst } from './newest.js'
import { formatCursor, parseCursor, type Filters, type ListQuery } from './query.js'
import type { ServerList, ServerResponse } from './server-json.js'

interface Slice {
  readonly listed: readonly Listed[]
  /** Where the walk is; undefined at its end. */
  readonly next: CataloguePlace | undefined
}

/** Pages of servers that are looked through for one page of hits in their newest versions. */
const MAX_ROUNDS = 10

/** One page: a slice of the catalogue, in the words of server.json. */
export async function listPage(rooms: CatalogueRooms, query: ListQuery): Promise<ServerList> {
  const { version } = query.filters
  const { listed, next } = await (version === 'latest' ? readLatest(rooms, query) : readAll(rooms, query))
  return pageOf(rooms, listed, next, (place) => formatCursor(query.filters, place))
}

/** The versions of one server, newest first by precedence. */
export async function listServer(
  rooms: CatalogueRooms,
  name: string,
  query: { limit: number; cursor?: string | undefined; deleted: boolean },
): Promise<ServerList> {
  const cursor = query.cursor === undefined ? undefined : parseCursor(query.cursor)
  // As in the listing of everything: clients drop their filters on the way.
  const { deleted } = cursor?.filters ?? query
  const all = await readServer(rooms, name, true)
  const isWanted = ({ row }: Listed): boolean => deleted || !isDeleted(row)
  if (!all.some(isWanted)) throw noSuch()
  // Found among all of them: what the page before ended with may have been revoked since.
  const rest = all.slice(cursor === undefined ? 0 : startOf(all, name, cursor.after)).filter(isWanted)
  const page = rest.slice(0, query.limit)
  const next = page.length < rest.length ? page.at(-1)?.place : undefined
  return pageOf(rooms, page, next, (place) => formatCursor({ deleted }, place))
}

/** One version, or the one that speaks for the server. */
export async function showVersion(
  rooms: CatalogueRooms,
  name: string,
  { version, deleted }: { version: string; deleted: boolean },
): Promise<ServerResponse> {
  const rows = await readServer(rooms, name, deleted)
  const found = rows.find(({ row, isLatest }) => (version === 'latest' ? isLatest : row.version === version))
  if (found === undefined) throw noSuch()
  const entry = await entryOf(rooms, found, { bytes: 1 })
  if (entry === undefined || entry === 'spent') throw noSuch()
  return entry
}

function noSuch(): HttpProblem {
  return new HttpProblem('not-found', 'there is no such server or version')
}

// ------------------------------------------------------------------------------------------------ what is listed

/** Every version, in an order that nothing that is approved meanwhile disturbs. */
async function readAll(rooms: CatalogueRooms, { filters, after, limit }: ListQuery): Promise<Slice> {
  const { store, ledger } = rooms.context
  const before = ledger.publishedEnd()
  const place = after === undefined ? {} : { after }
  const rows = await store.listVersions({ ...filters, ...place, before, limit: limit + 1 })
  const page = rows.slice(0, limit)
  const newest = latestByServer(await store.readVersionsOf(serversOf(page), before))
  const listed = page.map((row) => ({
    row,
    isLatest: newest.get(row.server)?.manifest === row.manifest,
    place: { server: row.server, version: row.version },
  }))
  return { listed, next: rows.length > page.length ? listed.at(-1)?.place : undefined }
}

/**
 * One version of each server. A server whose other versions alone have what is searched for is passed over, so that a page
 * may take several looks, and may come out short.
 */
async function readLatest(rooms: CatalogueRooms, { filters, after, limit }: ListQuery): Promise<Slice> {
  const { search, since, deleted } = filters
  const wanted = { deleted, ...(search !== undefined && { search }), ...(since !== undefined && { since }) }
  const listed: Listed[] = []
  let place = after
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const { store, ledger } = rooms.context
    const before = ledger.publishedEnd()
    const from = place === undefined ? {} : { after: place }
    const names = await store.listVersionedServers({ ...wanted, ...from, before, limit: limit + 1 })
    const page = names.slice(0, limit)
    const newest = latestByServer(await store.readVersionsOf(page, before))
    for (const server of page) {
      const row = newest.get(server)
      if (row !== undefined && isShown(row, filters)) listed.push({ row, isLatest: true, place: { server } })
      place = { server }
      if (listed.length === limit) break
    }
    const isEnd = names.length <= page.length && place?.server === page.at(-1)
    if (isEnd || page.length === 0) return { listed, next: undefined }
    if (listed.length === limit) break
  }
  return { listed, next: place }
}

function isShown(row: CatalogueRow, { search, deleted }: Filters): boolean {
  if (!deleted && isDeleted(row)) return false
  const texts = [row.server, row.title ?? '', row.description ?? ''].map(foldAscii)
  return search === undefined || texts.some((text) => text.includes(foldAscii(search)))
}

/** As the store does it. */
function foldAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

function serversOf(rows: readonly CatalogueRow[]): string[] {
  return [...new Set(rows.map(({ server }) => server))]
}

async function readServer(
  { context: { store, ledger } }: CatalogueRooms,
  name: string,
  deleted: boolean,
): Promise<Listed[]> {
  const { name: server } = parseServerName(name)
  const all = await store.readVersionsOf([server], ledger.publishedEnd())
  const newest = latestByServer(all).get(server)
  const rows = all.filter((row) => deleted || !isDeleted(row)).sort(newestFirst)
  if (rows.length === 0) throw noSuch()
  return rows.map((row) => ({
    row,
    isLatest: row === newest,
    place: { server, version: row.version },
  }))
}

function startOf(rows: readonly Listed[], name: string, after: CataloguePlace): number {
  const at = rows.findIndex(({ row }) => row.version === after.version)
  if (after.server !== name || at < 0)
    throw new HttpProblem('request-invalid', 'this cursor is of another list')
  return at + 1
}
