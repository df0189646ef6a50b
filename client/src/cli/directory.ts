import { isJsonObject, refuse, type JsonObject } from '../core/index.js'
import type { Call } from './call.js'
import { objectsOf, shownMember } from './members.js'

/** What the registry says of a namespace; nothing here is believed for a verdict. */
export interface NamespaceInfo {
  readonly namespace: string
  /** The account that owns it, or was granted it. */
  readonly account?: string
  readonly keys: readonly KeyInfo[]
  /** Index of the latest event about it; absent before the first. */
  readonly last?: number
}

export interface KeyInfo {
  readonly kid: string
  readonly roles: readonly string[]
  readonly added: Readonly<Record<string, number>>
  readonly revoked?: number
  readonly invalidFrom?: number
}

/** @throws CountersignError `registry-refused`, `registry-error` */
export async function fetchNamespace(call: Call, namespace: string): Promise<NamespaceInfo> {
  const answer = await call('GET', `/v1/namespaces/${namespace}`)
  if (!isJsonObject(answer)) refuse('registry-error', 'the registry says nothing of the namespace')
  const { account, keys, last } = answer
  return {
    namespace,
    ...(typeof account === 'string' && { account }),
    keys: objectsOf(keys).map(toKey),
    ...(typeof last === 'number' && { last }),
  }
}

function toKey(key: JsonObject): KeyInfo {
  const { roles, added, revoked, invalidFrom } = key
  const indexes: Record<string, number> = {}
  for (const [role, index] of Object.entries(isJsonObject(added) ? added : {})) {
    if (typeof index === 'number') indexes[role] = index
  }
  return {
    kid: shownMember(key, 'kid'),
    roles: Array.isArray(roles) ? roles.map(String) : [],
    added: indexes,
    ...(typeof revoked === 'number' && { revoked }),
    ...(typeof invalidFrom === 'number' && { invalidFrom }),
  }
}
