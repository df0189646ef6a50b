import { z } from 'zod'
import type { CataloguePlace } from '../../storage/store.js'
import { HttpProblem } from '../problems.js'

/** What a listing is of; the same on each of its pages. */
export interface Filters {
  readonly search?: string
  /** An exact one, or `latest`. */
  readonly version?: string
  /** Milliseconds. */
  readonly since?: number
  readonly deleted: boolean
}

export interface ListQuery {
  readonly filters: Filters
  readonly after?: CataloguePlace
  readonly limit: number
}

const limitOf = (usual: number) =>
  z
    .string()
    .transform((text) => (text === '' ? usual : Number(text)))
    .pipe(z.number().int().min(1).max(100))
    .default(usual)
/** A plus sign is a space to whoever reads a query; neither a version nor a time holds one. */
const withPlus = (text: string): string => text.replaceAll(' ', '+')
const search = z.string().max(200)
const version = z.string().min(1).max(255)
const flag = z.enum(['true', 'false', '']).transform((value) => value === 'true')

/** Members that it does not know are of clients that know more than this registry; an empty one says nothing. */
export const listQuery = z.object({
  cursor: z
    .string()
    .max(4096)
    .regex(/^[A-Za-z0-9_-]*$/)
    .optional(),
  limit: limitOf(30),
  search: search.optional(),
  updated_since: z
    .string()
    .transform(withPlus)
    .pipe(z.union([z.literal(''), z.iso.datetime({ offset: true })]))
    .optional(),
  version: z.string().max(255).transform(withPlus).optional(),
  include_deleted: flag.optional(),
})

export const versionsQuery = listQuery.pick({ cursor: true, include_deleted: true }).extend({
  limit: limitOf(100),
})
export const versionQuery = listQuery.pick({ include_deleted: true })

/** The first page is what the query says, every other what the cursor says: clients drop their filters on the way. */
export function readListQuery(query: unknown): ListQuery {
  const { cursor = '', limit: most, ...rest } = listQuery.parse(query)
  if (cursor !== '') return { ...parseCursor(cursor), limit: most }
  const { search: text = '', version: wanted = '', updated_since: from = '', include_deleted } = rest
  return {
    limit: most,
    filters: {
      ...(text !== '' && { search: text }),
      ...(wanted !== '' && { version: wanted }),
      ...(from !== '' && { since: Date.parse(from) }),
      // Who asks what has changed is told of what is gone.
      deleted: include_deleted === true || from !== '',
    },
  }
}

const place = z.string().min(1).max(255).nullable()
const cursorShape = z.tuple([
  z.string().min(3).max(200),
  place,
  search.min(1).nullable(),
  version.nullable(),
  z.number().int().nullable(),
  z.boolean(),
])

/** Letters, digits, `-` and `_` alone: some clients put it into their URL as it is. */
export function formatCursor(
  { search: text, version: wanted, since, deleted }: Filters,
  after: CataloguePlace,
): string {
  const parts = [after.server, after.version ?? null, text ?? null, wanted ?? null, since ?? null, deleted]
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

/** Nothing but what `formatCursor` makes. */
export function parseCursor(cursor: string): { filters: Filters; after: CataloguePlace } {
  const [server, at, text, wanted, since, deleted] = readParts(cursor)
  const after = { server, ...(at !== null && { version: at }) }
  const filters = {
    ...(text !== null && { search: text }),
    ...(wanted !== null && { version: wanted }),
    ...(since !== null && { since }),
    deleted,
  }
  if (formatCursor(filters, after) !== cursor) throw noCursor()
  return { filters, after }
}

function readParts(cursor: string): z.output<typeof cursorShape> {
  try {
    return cursorShape.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')))
  } catch {
    throw noCursor()
  }
}

function noCursor(): HttpProblem {
  return new HttpProblem('request-invalid', 'this cursor is none of ours')
}
