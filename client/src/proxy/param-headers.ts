import { isJsonObject, type JsonObject } from '../core/index.js'
import type { GuardEvent } from '../guard/index.js'

/** An argument that a server of the 2026 era wants to see as an HTTP header, too (SEP-2243). */
export interface HeaderParam {
  readonly path: readonly string[]
  /** In lower case, with its prefix. */
  readonly header: string
}

const PREFIX = 'mcp-param-'
const KEYWORD = 'x-mcp-header'
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const TYPES: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean'])
const MAX_DEPTH = 64

/** What a schema declares along its `properties`; elsewhere, twice or malformed it counts for nothing. */
export function readHeaderParams(inputSchema: unknown): readonly HeaderParam[] {
  const found: HeaderParam[] = []
  collect(inputSchema, [], found)
  const names = new Set(found.map(({ header }) => header))
  return names.size === found.length ? found : []
}

function collect(schema: unknown, path: readonly string[], found: HeaderParam[]): void {
  if (!isJsonObject(schema) || path.length > MAX_DEPTH) return
  const { [KEYWORD]: name, type, properties } = schema
  if (typeof name === 'string' && TOKEN.test(name) && TYPES.has(type) && path.length > 0) {
    found.push({ path, header: `${PREFIX}${name.toLowerCase()}` })
  }
  if (!isJsonObject(properties)) return
  for (const [member, child] of Object.entries(properties)) collect(child, [...path, member], found)
}

/** The headers of one call, computed from its body: a host's own headers are never copied. */
export function formatParamHeaders(params: readonly HeaderParam[], args: unknown): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const { path, header } of params) {
    const text = textOf(valueAt(args, path))
    if (text !== undefined) headers[header] = encodeHeaderValue(text)
  }
  return headers
}

function valueAt(args: unknown, path: readonly string[]): unknown {
  let value: unknown = args
  for (const member of path) {
    if (!isJsonObject(value) || !Object.hasOwn(value, member)) return undefined
    value = value[member]
  }
  return value
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  const isExact = typeof value === 'number' && (Number.isSafeInteger(value) || !Number.isInteger(value))
  return isExact && Number.isFinite(value) ? String(value) : undefined
}

const SENTINEL = /^=\?base64\?(.*)\?=$/s

/** Plain where a field value is safe as it stands, else Base64 of its UTF-8 between two marks. */
export function encodeHeaderValue(text: string): string {
  const isPlain = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/.test(text) && !SENTINEL.test(text)
  return isPlain ? text : `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`
}

/** @returns undefined for Base64 that is none, or is no UTF-8 */
export function decodeHeaderValue(value: string): string | undefined {
  const encoded = SENTINEL.exec(value)?.[1]
  if (encoded === undefined) return value
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.toString('base64') !== encoded) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Which body member `Mcp-Name` mirrors. */
const NAMED_BY: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
])

/** What `Mcp-Name` has to say; undefined where it is not asked for, or the body has no such text. */
export function nameInBody(method: string, params: JsonObject | undefined): string | undefined {
  const member = NAMED_BY.get(method)
  const value = member === undefined ? undefined : params?.[member]
  return typeof value === 'string' ? value : undefined
}

/** Which tools of a server want headers, as their signed definitions say; learned from what the guard reports. */
export class KnownHeaderParams {
  readonly #byTool = new Map<string, readonly HeaderParam[]>()

  learn(event: GuardEvent): void {
    if (event.type !== 'listed' || event.list !== 'tools') return
    this.#byTool.clear()
    for (const { name, signed } of event.review.allowed) {
      // Parsed for the few tools that have one.
      if (signed.includes(KEYWORD)) this.#add(name, JSON.parse(signed))
    }
  }

  of(tool: unknown): readonly HeaderParam[] {
    return (typeof tool === 'string' ? this.#byTool.get(tool) : undefined) ?? []
  }

  #add(name: string, tool: unknown): void {
    const params = isJsonObject(tool) ? readHeaderParams(tool['inputSchema']) : []
    if (params.length > 0) this.#byTool.set(name, params)
  }
}
