import {
  COVERED_MEMBERS,
  coveredItem,
  isJsonObject,
  refuse,
  type ItemKind,
  type JsonObject,
} from '../core/index.js'
import { hasCapability, walkUntilQuiet, type Listed } from './lists.js'
import type { Session } from './session.js'

/** What a model can see of one running server, as its bytes said it, each item cut to its covered members. */
export interface Surface {
  readonly protocolVersion: string
  /** Self-reported; says nothing about who speaks. */
  readonly serverInfo: { readonly name: string; readonly version: string }
  readonly items: readonly SurfaceItem[]
  readonly resources: 'none' | 'listed' | 'dynamic'
  /** Members that no digest covers and no host will see, by name. */
  readonly dropped: readonly string[]
  /** Lines on stdout that were no JSON-RPC message. */
  readonly noise: number
}

export interface SurfaceItem {
  readonly kind: ItemKind
  /** Tool and prompt name, URI template or URI; empty for the instructions. */
  readonly name: string
  readonly definition: JsonObject
}

export interface SurfaceLimits {
  /** ms to answer `initialize`: npx may be downloading. */
  readonly startMs: number
  /** ms for each other answer. */
  readonly answerMs: number
}

const PROTOCOL_VERSION = '2025-11-25'

/** Everything a client may offer, so that a server shows all it has: a manifest lists what it *could* offer. */
const CLIENT_CAPABILITIES: JsonObject = {
  roots: { listChanged: true },
  sampling: { context: {}, tools: {} },
  elicitation: { form: {}, url: {} },
  tasks: { list: {}, cancel: {}, requests: { sampling: { createMessage: {} }, elicitation: { create: {} } } },
}

/** What a server lists, as it came: for a verdict, which is not ours to give here. */
export interface Listing {
  readonly tools: readonly JsonObject[]
  readonly prompts: readonly JsonObject[]
  readonly resourceTemplates: readonly JsonObject[]
  readonly instructions?: string
}

/**
 * Asks a started server for all it lists: initialize, then every page of every list it says it has.
 * @throws CountersignError `capture-failed`
 */
export async function readListing(session: Session, limits: SurfaceLimits): Promise<Listing> {
  const { initialized, listed } = await readAll(session, limits)
  const of = (kind: ItemKind): JsonObject[] =>
    listed.filter((one) => one.kind === kind).map((one) => one.value)
  const { instructions } = initialized
  return {
    tools: of('tool'),
    prompts: of('prompt'),
    resourceTemplates: of('template'),
    ...(typeof instructions === 'string' && { instructions }),
  }
}

async function readAll(session: Session, limits: SurfaceLimits) {
  const initialized = await session.request('initialize', initializeParams(), limits.startMs)
  await session.notify('notifications/initialized')
  return { initialized, listed: await walkUntilQuiet(session, initialized, limits.answerMs) }
}

/**
 * The same as a surface that can be signed.
 * @throws CountersignError `capture-failed`, also for what no host could accept
 */
export async function readSurface(session: Session, limits: SurfaceLimits): Promise<Surface> {
  const { initialized, listed } = await readAll(session, limits)
  const items = [...readInstructions(initialized), ...listed.map(toItem)]
  assertSurface(items)
  return {
    protocolVersion: readProtocol(initialized),
    serverInfo: readServerInfo(initialized),
    items: items.filter((item) => item.kind !== 'resource' || resourceMode(initialized) === 'listed'),
    resources: listed.some((one) => one.kind === 'resource')
      ? resourceMode(initialized)
      : presence(initialized),
    dropped: droppedMembers(listed),
    noise: session.noise,
  }
}

function initializeParams(): JsonObject {
  return {
    protocolVersion: PROTOCOL_VERSION,
    capabilities: CLIENT_CAPABILITIES,
    clientInfo: { name: 'countersign-capture', version: '1.0.0' },
  }
}

function resourceMode(initialized: JsonObject): 'listed' | 'dynamic' {
  const capabilities = initialized['capabilities']
  const resources = isJsonObject(capabilities) ? capabilities['resources'] : undefined
  // A server that announces changes of its list has no list to sign.
  return isJsonObject(resources) && resources['listChanged'] === true ? 'dynamic' : 'listed'
}

function presence(initialized: JsonObject): 'none' | 'dynamic' {
  return hasCapability(initialized, 'resources') ? 'dynamic' : 'none'
}

function readInstructions(initialized: JsonObject): SurfaceItem[] {
  const text = initialized['instructions']
  if (text === undefined || text === null || text === '') return []
  if (typeof text !== 'string') refuse('capture-failed', 'the instructions are not a text')
  return [{ kind: 'instructions', name: '', definition: { text } }]
}

/** @throws CountersignError `capture-failed` */
export function readProtocol(initialized: JsonObject): string {
  const version = initialized['protocolVersion']
  if (typeof version === 'string' && /^[0-9-]{10}$/.test(version)) return version
  return refuse('capture-failed', 'the server names no protocol version', { reason: 'malformed-answer' })
}

function readServerInfo(initialized: JsonObject): { name: string; version: string } {
  const info = initialized['serverInfo']
  const member = (name: string): string => {
    const value = isJsonObject(info) ? info[name] : undefined
    return typeof value === 'string' ? value.slice(0, 200) : ''
  }
  return { name: member('name'), version: member('version') }
}

function toItem({ kind, key, value }: Listed): SurfaceItem {
  const name = value[key]
  if (typeof name !== 'string' || name === '') {
    refuse('capture-failed', `a ${kind} has no ${key}`, { reason: 'malformed-item' })
  }
  return { kind, name, definition: coveredItem(kind, value) }
}

function droppedMembers(listed: readonly Listed[]): string[] {
  const names = new Set<string>()
  for (const { kind, value } of listed) {
    for (const key of Object.keys(value))
      if (!COVERED_MEMBERS[kind].includes(key)) names.add(`${kind}.${key}`)
  }
  return [...names].sort().slice(0, 32)
}

/** @throws CountersignError `capture-failed` for what no host could accept */
function assertSurface(items: readonly SurfaceItem[]): void {
  const seen = new Set<string>()
  for (const item of items) {
    const id = `${item.kind} ${item.name}`
    if (seen.has(id)) {
      refuse('capture-failed', `the server lists ${id} twice`, { reason: 'duplicate-name', name: item.name })
    }
    seen.add(id)
    if (item.kind === 'tool') assertSchemas(item)
  }
}

/** The MCP schema demands an object at the root; every SDK client fails the whole list otherwise. */
function assertSchemas(tool: SurfaceItem): void {
  const input = tool.definition['inputSchema']
  if (!isJsonObject(input) || input['type'] !== 'object') refuseSchema(tool.name, 'inputSchema')
  const output = tool.definition['outputSchema']
  if (output !== undefined && !isJsonObject(output)) refuseSchema(tool.name, 'outputSchema')
}

function refuseSchema(tool: string, member: string): never {
  refuse(
    'capture-failed',
    `the ${member} of the tool "${tool}" has no "type": "object" at its root; MCP clients refuse the whole list`,
    { reason: 'schema-root', tool, member },
  )
}
