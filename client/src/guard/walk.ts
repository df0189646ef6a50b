import { isJsonObject, refuse, utf8Bytes, type JsonObject } from '../core/index.js'
import type { ListKind } from './events.js'
import type { ResponseFrame } from './frames.js'

export const MAX_PAGES = 64
export const MAX_ITEMS = 1000
export const MAX_LIST_BYTES = 8 * 1024 * 1024
/** From one page to the next: hosts give a listing up after a minute. */
export const MAX_WALK_MS = 60_000

export interface ListSpec {
  readonly kind: ListKind
  readonly method: string
  readonly member: string
  readonly capability: string
  readonly changed: string
  /** The filter member of a `subscriptions/listen` that asks for `changed`. */
  readonly filter: string
}

export const LISTS: readonly ListSpec[] = [
  {
    kind: 'tools',
    method: 'tools/list',
    member: 'tools',
    capability: 'tools',
    changed: 'notifications/tools/list_changed',
    filter: 'toolsListChanged',
  },
  {
    kind: 'prompts',
    method: 'prompts/list',
    member: 'prompts',
    capability: 'prompts',
    changed: 'notifications/prompts/list_changed',
    filter: 'promptsListChanged',
  },
  {
    kind: 'resourceTemplates',
    method: 'resources/templates/list',
    member: 'resourceTemplates',
    capability: 'resources',
    changed: 'notifications/resources/list_changed',
    filter: 'resourcesListChanged',
  },
  {
    kind: 'resources',
    method: 'resources/list',
    member: 'resources',
    capability: 'resources',
    changed: 'notifications/resources/list_changed',
    filter: 'resourcesListChanged',
  },
]

/** A whole list as the server told it, all pages together. */
export interface Walked {
  readonly items: readonly unknown[]
  /** `_meta` of the first page. */
  readonly meta: JsonObject | undefined
  /** The smallest of the pages; undefined when no page names one. */
  readonly ttlMs: number | undefined
}

export const EMPTY_WALK: Walked = { items: [], meta: undefined, ttlMs: undefined }

/** The server answered a listing with an error. Its text is the server's own and goes no further. */
export class ListingError extends Error {
  override readonly name = 'ListingError'
  readonly rpcCode: number
  constructor(rpcCode: number) {
    super(`the server answered the listing with error ${rpcCode}`)
    this.rpcCode = rpcCode
  }
}

export type Ask = (method: string, params: JsonObject) => Promise<ResponseFrame>

/**
 * Asks for every page. A server that never ends, repeats a cursor or sends more than a model could read is an attack.
 * @throws CountersignError `limit-exceeded`, `malformed-tool`
 * @throws ListingError
 */
export async function walkPages(
  list: ListSpec,
  ask: Ask,
  now: () => number = () => performance.now(),
): Promise<Walked> {
  const end = now() + MAX_WALK_MS
  const items: unknown[] = []
  const cursors = new Set<string>()
  let bytes = 0
  let first: JsonObject | undefined
  let ttlMs: number | undefined
  for (let page = 0, cursor: string | undefined; page < MAX_PAGES; page++) {
    if (now() > end) refuseLimit(list, 'milliseconds', MAX_WALK_MS)
    const result = readPage(list, await ask(list.method, cursor === undefined ? {} : { cursor }))
    first ??= result
    bytes += sizeOf(list, result)
    const listed = result[list.member] as unknown[]
    if (items.length + listed.length > MAX_ITEMS) refuseLimit(list, 'items', MAX_ITEMS)
    items.push(...listed)
    if (bytes > MAX_LIST_BYTES) refuseLimit(list, 'bytes', MAX_LIST_BYTES)
    ttlMs = smaller(ttlMs, result['ttlMs'])
    cursor = nextCursor(list, result, cursors)
    if (cursor === undefined) return { items, meta: metaOf(first), ttlMs }
  }
  return refuseLimit(list, 'pages', MAX_PAGES)
}

function readPage(list: ListSpec, frame: ResponseFrame): JsonObject {
  const result = frame.result
  if (result === undefined) throw new ListingError(frame.error?.code ?? 0)
  if (!Array.isArray(result[list.member])) refuseShape(list, `no "${list.member}"`)
  // An absent resultType is the 2025 era's "complete"; anything else is no list.
  if ((result['resultType'] ?? 'complete') !== 'complete') refuseShape(list, 'an incomplete result')
  return result
}

/** An empty cursor is a valid one; only an absent member ends the list. A null is read as absent: servers send it. */
function nextCursor(list: ListSpec, result: JsonObject, seen: Set<string>): string | undefined {
  const next = result['nextCursor']
  if (next === undefined || next === null) return undefined
  if (typeof next !== 'string') refuseShape(list, 'a cursor that is no text')
  if (seen.has(next)) refuseLimit(list, 'repeated-cursor', 1)
  seen.add(next)
  return next
}

function sizeOf(list: ListSpec, result: JsonObject): number {
  try {
    return utf8Bytes(JSON.stringify(result)).length
  } catch {
    // Nested so deep that it cannot be written down again.
    return refuseLimit(list, 'depth', 1)
  }
}

function metaOf(result: JsonObject): JsonObject | undefined {
  const meta = result['_meta']
  return isJsonObject(meta) ? meta : undefined
}

function smaller(known: number | undefined, value: unknown): number | undefined {
  if (typeof value !== 'number' || !(value >= 0)) return known
  return known === undefined ? value : Math.min(known, value)
}

function refuseLimit(list: ListSpec, reason: string, limit: number): never {
  refuse('limit-exceeded', `${list.method}: the server's list goes past a limit (${reason})`, {
    reason,
    limit,
  })
}

function refuseShape(list: ListSpec, what: string): never {
  refuse('malformed-tool', `${list.method}: the server's answer has ${what}`, { reason: 'malformed-list' })
}
