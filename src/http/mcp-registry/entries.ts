import type { Context } from '../../publishers/context.js'
import type { CataloguePlace, CatalogueRow } from '../../storage/store.js'
import type { Budget, Details } from './details.js'
import { isDeleted } from './newest.js'
import { OFFICIAL_META, TRUST_META, type ServerList, type ServerResponse } from './server-json.js'

/** What a listing is made with. */
export interface CatalogueRooms {
  readonly context: Pick<Context, 'store' | 'ledger'>
  readonly details: Details
  readonly publicUrl: string
}

/** A row, and whether it is the one that speaks for its server. */
export interface Listed {
  readonly row: CatalogueRow
  readonly isLatest: boolean
  /** Behind which the next page starts, should this one end here. */
  readonly place: CataloguePlace
}

/** A page of the largest manifests may not hold everybody else up: it ends early, and its cursor goes on. */
const MAX_PAGE_BYTES = 8 * 1024 * 1024

/** Entries of what is listed; what fits no server.json is left out, and breaks nothing. */
export async function pageOf(
  rooms: CatalogueRooms,
  listed: readonly Listed[],
  next: CataloguePlace | undefined,
  cursorOf: (place: CataloguePlace) => string,
): Promise<ServerList> {
  const servers: ServerResponse[] = []
  const budget = { bytes: MAX_PAGE_BYTES }
  let last: CataloguePlace | undefined
  for (const one of listed) {
    const entry = budget.bytes <= 0 ? 'spent' : await entryOf(rooms, one, budget)
    if (entry === 'spent') return listOf(servers, last && cursorOf(last))
    if (entry !== undefined) servers.push(entry)
    last = one.place
  }
  return listOf(servers, next && cursorOf(next))
}

function listOf(servers: ServerResponse[], nextCursor: string | undefined): ServerList {
  return { servers, metadata: { ...(nextCursor !== undefined && { nextCursor }), count: servers.length } }
}

export async function entryOf(
  { context: { ledger }, details, publicUrl }: CatalogueRooms,
  { row, isLatest }: Listed,
  budget: Budget,
): Promise<ServerResponse | undefined | 'spent'> {
  const server = await details.of(row.manifest, budget)
  if (server === undefined || server === 'spent') return server
  const { manifest, role, publishIndex, approveIndex } = row
  return {
    server,
    _meta: {
      [OFFICIAL_META]: { ...standingOf(row), isLatest },
      [TRUST_META]: {
        ...{ registry: ledger.identity, role, manifest, bundle: `${publicUrl}/v1/bundles/${manifest}` },
        ...{ publishIndex, approveIndex, log: { origin: ledger.origin, size: ledger.publishedSize() } },
      },
    },
  }
}

function standingOf(row: CatalogueRow) {
  const moved = new Date(row.updatedAt).toISOString()
  const status = isDeleted(row) ? 'deleted' : row.status === 'deprecated' ? 'deprecated' : 'active'
  const publishedAt = new Date(row.submittedAt).toISOString()
  return { status, publishedAt, updatedAt: moved, statusChangedAt: moved } as const
}
