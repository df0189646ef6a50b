import { isJsonObject, refuse, type JsonObject } from '../core/index.js'
import type { Call } from './call.js'
import { objectsOf } from './members.js'

/** A list that never ends is no list. */
const MAX_PAGES = 200

/**
 * Every item of a paged list, or the first so many.
 * @throws CountersignError `registry-error` when the list does not end
 */
export async function fetchPages(
  call: Call,
  path: string,
  member: string,
  atMost = Infinity,
): Promise<JsonObject[]> {
  const items: JsonObject[] = []
  let cursor: string | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await call('GET', cursor === undefined ? path : withCursor(path, cursor))
    if (!isJsonObject(answer) || !Array.isArray(answer[member])) {
      refuse('registry-error', `the registry’s answer lacks ${member}`)
    }
    items.push(...objectsOf(answer[member]))
    const next = answer['cursor']
    if (typeof next !== 'string' || items.length >= atMost) return items.slice(0, atMost)
    cursor = next
  }
  return refuse('registry-error', 'the registry’s list does not end')
}

/** A path with the parameters that are given. */
export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`
}

function withCursor(path: string, cursor: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams({ cursor }).toString()}`
}
