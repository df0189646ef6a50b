import { CountersignError, isJsonObject, refuse, type ItemKind, type JsonObject } from '../core/index.js'
import type { Session } from './session.js'

export const MAX_PAGES = 64
export const MAX_ITEMS = 1000
const MAX_WALKS = 4
const SETTLE_MS = 150
const METHOD_NOT_FOUND = -32601

const LISTS: readonly { kind: ItemKind; capability: string; method: string; member: string; key: string }[] =
  [
    { kind: 'tool', capability: 'tools', method: 'tools/list', member: 'tools', key: 'name' },
    { kind: 'prompt', capability: 'prompts', method: 'prompts/list', member: 'prompts', key: 'name' },
    {
      kind: 'template',
      capability: 'resources',
      method: 'resources/templates/list',
      member: 'resourceTemplates',
      key: 'uriTemplate',
    },
    { kind: 'resource', capability: 'resources', method: 'resources/list', member: 'resources', key: 'uri' },
  ]

/** One entry of a list, and the member that names it. */
export interface Listed {
  readonly kind: ItemKind
  readonly key: string
  readonly value: JsonObject
}

/**
 * Every page of every list the server says it has. It may add tools once it knows the client: when it says so, everything is
 * listed again.
 * @throws CountersignError `capture-failed`
 */
export async function walkUntilQuiet(
  session: Session,
  initialized: JsonObject,
  timeoutMs: number,
): Promise<Listed[]> {
  for (let walk = 1; walk <= MAX_WALKS; walk++) {
    session.takeChanged()
    const listed = await walkLists(session, initialized, timeoutMs)
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    if (session.takeChanged().size === 0) return listed
  }
  refuse('capture-failed', `the server changed its lists during ${MAX_WALKS} walks`, {
    reason: 'not-deterministic',
  })
}

async function walkLists(session: Session, initialized: JsonObject, timeoutMs: number): Promise<Listed[]> {
  const listed: Listed[] = []
  for (const { kind, capability, method, member, key } of LISTS) {
    if (!hasCapability(initialized, capability)) continue
    const values = await walkPages(session, method, member, timeoutMs).catch((error: unknown) =>
      missingList(kind, error),
    )
    for (const value of values) listed.push({ kind, key, value })
  }
  return listed
}

/**
 * Many servers have resources but no templates, and answer that they do not know the question. More resources than can
 * be listed are no list to sign: they count as dynamic.
 */
function missingList(kind: ItemKind, error: unknown): JsonObject[] {
  const detail = error instanceof CountersignError ? error.detail : {}
  if (kind !== 'tool' && detail['rpcCode'] === METHOD_NOT_FOUND) return []
  if (kind === 'resource' && detail['reason'] === 'too-many') return []
  throw error
}

async function walkPages(
  session: Session,
  method: string,
  member: string,
  timeoutMs: number,
): Promise<JsonObject[]> {
  const values: JsonObject[] = []
  const seen = new Set<string>()
  for (let page = 1, cursor: string | undefined; page <= MAX_PAGES; page++) {
    const result = await session.request(method, cursor === undefined ? {} : { cursor }, timeoutMs)
    values.push(...readPage(result, method, member))
    if (values.length > MAX_ITEMS) refuseList(method, `more than ${MAX_ITEMS} items`, 'too-many')
    const next = result['nextCursor']
    if (next === undefined || next === null) return values
    if (typeof next !== 'string' || seen.has(next)) refuseList(method, 'a repeated or malformed cursor')
    seen.add(next)
    cursor = next
  }
  return refuseList(method, `more than ${MAX_PAGES} pages`, 'too-many')
}

function readPage(result: JsonObject, method: string, member: string): JsonObject[] {
  const values = result[member]
  if (!Array.isArray(values) || !values.every(isJsonObject))
    refuseList(method, `no list of objects in "${member}"`)
  return values
}

function refuseList(method: string, what: string, reason = 'malformed-list'): never {
  refuse('capture-failed', `${method}: ${what}`, { reason, method })
}

export function hasCapability(initialized: JsonObject, name: string): boolean {
  const capabilities = initialized['capabilities']
  return isJsonObject(capabilities) && isJsonObject(capabilities[name])
}
