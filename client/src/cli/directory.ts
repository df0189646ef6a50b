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
  /** Absent when an admin granted it. */
  readonly proof?: ProofInfo
}

export interface ProofInfo {
  readonly kind: string
  /** The domain that was asked, or who a workflow's token spoke for. */
  readonly subject: string
  readonly checkedAt: string
  /** Since when it is missing. */
  readonly failingSince?: string
  /** Publishing waits until it is back. */
  readonly suspended: boolean
}

export interface KeyInfo {
  readonly kid: string
  readonly roles: readonly string[]
  readonly added: Readonly<Record<string, number>>
  readonly revoked?: number
  readonly invalidFrom?: number
  /** Authorities gave it: it counts from this time on. */
  readonly usableAt?: string
}

/** @throws CountersignError `registry-refused`, `registry-error` */
export async function fetchNamespace(call: Call, namespace: string): Promise<NamespaceInfo> {
  const answer = await call('GET', `/v1/namespaces/${namespace}`)
  if (!isJsonObject(answer)) refuse('registry-error', 'the registry says nothing of the namespace')
  const { account, keys, last, proof } = answer
  return {
    namespace,
    ...(typeof account === 'string' && { account }),
    keys: objectsOf(keys).map(toKey),
    ...(typeof last === 'number' && { last }),
    ...(isJsonObject(proof ?? null) && { proof: toProof(proof as JsonObject) }),
  }
}

function toProof(proof: JsonObject): ProofInfo {
  const failingSince = timeMember(proof, 'failingSince')
  return {
    kind: shownMember(proof, 'kind'),
    subject: shownMember(proof, 'subject'),
    checkedAt: timeMember(proof, 'checkedAt'),
    ...(failingSince !== '' && { failingSince }),
    suspended: proof['suspended'] === true,
  }
}

/** A time as text; milliseconds count as one. */
function timeMember(object: JsonObject, name: string): string {
  const value = object[name]
  if (typeof value !== 'number') return shownMember(object, name)
  const time = new Date(value)
  return Number.isNaN(time.getTime()) ? '' : time.toISOString()
}

function toKey(key: JsonObject): KeyInfo {
  const { roles, added, revoked, invalidFrom } = key
  const usableAt = timeMember(key, 'usableAt')
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
    ...(usableAt !== '' && { usableAt }),
  }
}
