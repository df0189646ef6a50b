import {
  decodeBase64,
  isJsonObject,
  parseRevocationLine,
  type JsonObject,
  type JsonValue,
} from '../core/index.js'
import type { Accepted, Evidence, LogMemory, ServerMemory, WorldMemory } from '../memory.js'

// What is read back is checked member by member: a memory that half makes sense is corrupt, not half trusted.

/** @throws TypeError or a CountersignError of a part */
export function checkWorld(value: JsonObject): WorldMemory {
  assertVersion(value)
  const root = objectOf(value['root'])
  const tombstones = textsOf(value['tombstones'])
  tombstones.forEach(parseRevocationLine)
  return {
    v: 1,
    root: { version: wholeOf(root['version']), note: textOf(root['note']) },
    ...(value['log'] !== undefined && { log: checkLog(objectOf(value['log'])) }),
    tombstones,
    evidence: listOf(value['evidence']).map((one) => checkEvidence(objectOf(one))),
  }
}

function checkLog(value: JsonObject): LogMemory {
  const root = textOf(value['root'])
  if (decodeBase64(root).length !== 32) wrong()
  return {
    origin: textOf(value['origin']),
    size: wholeOf(value['size']),
    root,
    note: textOf(value['note']),
    status: textOf(value['status']),
    attestedAt: wholeOf(value['attestedAt']),
    snapshotIndex: wholeOf(value['snapshotIndex']),
  }
}

function checkEvidence(value: JsonObject): Evidence {
  const [remembered, shown] = textsOf(value['notes'])
  const { conclusive } = value
  if (remembered === undefined || shown === undefined || typeof conclusive !== 'boolean') return wrong()
  return { notes: [remembered, shown], conclusive, seenAt: wholeOf(value['seenAt']) }
}

/** @throws TypeError */
export function checkServer(value: JsonObject): ServerMemory {
  assertVersion(value)
  const { resolved, pin } = value
  return {
    v: 1,
    ...(resolved !== undefined && { resolved: textOf(resolved) }),
    ...(pin !== undefined && { pin: textOf(pin) }),
    accepted: listOf(value['accepted']).map((one) => checkAccepted(objectOf(one))),
    ownKids: textsOf(value['ownKids']),
    signKids: textsOf(value['signKids']),
    variants: Object.fromEntries(
      Object.entries(objectOf(value['variants'])).map(([name, when]) => [name, textOf(when)]),
    ),
    tools: textsOf(value['tools']),
  }
}

function checkAccepted(value: JsonObject): Accepted {
  const signed = value['signed'] === undefined ? undefined : objectOf(value['signed'])
  return {
    version: textOf(value['version']),
    manifest: textOf(value['manifest']),
    ...(signed && { signed: { kid: textOf(signed['kid']), index: wholeOf(signed['index']) } }),
  }
}

function wrong(): never {
  throw new TypeError('the memory has another shape')
}

function assertVersion(value: JsonObject): void {
  if (value['v'] !== 1) wrong()
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : wrong()
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : wrong()
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : wrong()
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  return listOf(value).map(textOf)
}

function wholeOf(value: JsonValue | undefined): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : wrong()
}
