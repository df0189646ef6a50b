import { isJsonObject, type JsonObject } from '../core/index.js'
import { cleanItem } from './hidden.js'

/** Extension identifier and `_meta` key. What stands there is a hint where evidence may be found, never evidence. */
export const OWN_META_KEY = 'dev.countersign/tool-manifest'

/**
 * The result of `initialize` or `server/discover` as the host gets it: instructions only as verified, `listChanged`
 * promised (the guard itself announces revocations), and nothing cached for longer than a verdict counts.
 */
export function rewriteHandshake(
  result: JsonObject,
  instructions: string | undefined,
  maxTtlMs: number,
): JsonObject {
  const rest = without(result, 'instructions')
  return {
    ...cleanServerInfo(withoutOwnMeta(lowerTtl(rest, maxTtlMs))),
    ...(isJsonObject(rest['capabilities']) && { capabilities: announceChanges(rest['capabilities']) }),
    ...(instructions !== undefined && { instructions }),
  }
}

const SERVER_INFO_KEY = 'io.modelcontextprotocol/serverInfo'

/** What a server calls itself is nobody's signature: shown without hidden characters, its free text not at all. */
export function cleanServerInfo(result: JsonObject): JsonObject {
  const { serverInfo, _meta: meta } = result
  const stamped = isJsonObject(meta) ? meta[SERVER_INFO_KEY] : undefined
  return {
    ...result,
    ...(isJsonObject(serverInfo) && { serverInfo: cleanImplementation(serverInfo) }),
    ...(isJsonObject(meta) &&
      isJsonObject(stamped) && { _meta: { ...meta, [SERVER_INFO_KEY]: cleanImplementation(stamped) } }),
  }
}

function cleanImplementation(info: JsonObject): JsonObject {
  return cleanItem(without(info, 'description')) as JsonObject
}

function announceChanges(capabilities: JsonObject): JsonObject {
  const { tools, extensions } = capabilities
  return {
    ...capabilities,
    ...(isJsonObject(tools) && { tools: { ...tools, listChanged: true } }),
    ...(isJsonObject(extensions) && { extensions: without(extensions, OWN_META_KEY) }),
  }
}

/** A cache of the host outlives a revocation: never longer than the verdict, never shared. The same object where it fits. */
export function lowerTtl(result: JsonObject, maxTtlMs: number): JsonObject {
  if (!('ttlMs' in result) && !('cacheScope' in result)) return result
  const { ttlMs: ttl, cacheScope } = result
  if (cacheScope === 'private' && typeof ttl === 'number' && ttl >= 0 && ttl <= maxTtlMs) return result
  return {
    ...result,
    ttlMs: typeof ttl === 'number' && ttl >= 0 ? Math.min(ttl, maxTtlMs) : 0,
    cacheScope: 'private',
  }
}

export function withoutOwnMeta(result: JsonObject): JsonObject {
  const meta = result['_meta']
  if (!isJsonObject(meta) || !(OWN_META_KEY in meta)) return result
  return { ...result, _meta: without(meta, OWN_META_KEY) }
}

/** An item that no manifest signs: {@link cleanItem}, and without a mark that only the guard makes. */
export function cleanUnsigned(item: unknown): unknown {
  const cleaned = cleanItem(item)
  return isJsonObject(cleaned) ? withoutOwnMeta(cleaned) : cleaned
}

/** A list that no manifest signs, as one page of the server. */
export function rewriteResources(result: JsonObject, maxTtlMs: number): JsonObject {
  const resources = result['resources']
  const cleaned = Array.isArray(resources) ? { resources: resources.map(cleanUnsigned) as JsonObject[] } : {}
  return { ...withoutOwnMeta(lowerTtl(result, maxTtlMs)), ...cleaned }
}

/** Params of `sampling/createMessage` without tools: nobody signed those. The same object when there are none. */
export function withoutSampledTools(params: JsonObject | undefined): JsonObject | undefined {
  if (params === undefined || !('tools' in params || 'toolChoice' in params)) return params
  return without(params, 'tools', 'toolChoice')
}

function without(object: JsonObject, ...members: string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !members.includes(key)))
}

/**
 * The 2026 era's way to ask the host for something: `inputRequests` inside a result, of a call or of its task. The same
 * object when clean; `requestState` is the server's own and stays what it is.
 */
export function screenInputRequests(result: JsonObject): JsonObject {
  const requests = result['inputRequests']
  if (!isJsonObject(requests)) return result
  const screened = Object.entries(requests).map(([key, request]) => [key, screenRequest(request)] as const)
  return screened.every(([key, request]) => request === requests[key])
    ? result
    : { ...result, inputRequests: Object.fromEntries(screened) as JsonObject }
}

function screenRequest(request: unknown): unknown {
  if (!isJsonObject(request) || request['method'] !== 'sampling/createMessage') return request
  const params = request['params']
  if (!isJsonObject(params)) return request
  const screened = withoutSampledTools(params)
  return screened === params ? request : { ...request, params: screened }
}
