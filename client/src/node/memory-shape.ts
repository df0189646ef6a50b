import { CHANGE_CLASSES, QUESTION_REASONS, type Consent, type Question, type Side } from '../consent/types.js'
import {
  decodeBase64,
  isJsonObject,
  parseDigest,
  parseRevocationLine,
  type Digest,
  type JsonObject,
  type JsonValue,
} from '../core/index.js'
import type {
  Accepted,
  DeniedMemory,
  Evidence,
  LogMemory,
  RevocationMemory,
  ServerMemory,
  Tombstone,
  WorldMemory,
} from '../memory.js'

// What is read back is checked member by member: a memory that half makes sense is corrupt, not half trusted.

/**
 * Version 1 kept all tombstones here, and no positions with them.
 * @throws TypeError or a CountersignError of a part
 */
export function checkWorld(value: JsonObject): WorldMemory {
  const { v, log, listSeen, denied, tombstones, hostPolicy } = value
  if (v !== 1 && v !== 2) wrong()
  const root = objectOf(value['root'])
  return {
    v: 2,
    root: { version: wholeOf(root['version']), note: textOf(root['note']) },
    ...(log !== undefined && { log: checkLog(objectOf(log)) }),
    ...(listSeen !== undefined && { listSeen: checkListSeen(objectOf(listSeen)) }),
    ...(denied !== undefined && { denied: checkDenied(objectOf(denied)) }),
    ...((v === 1 || tombstones !== undefined) && { tombstones: linesOf(tombstones) }),
    ...(hostPolicy !== undefined && { hostPolicy: textOf(hostPolicy) }),
    evidence: listOf(value['evidence']).map((one) => checkEvidence(objectOf(one))),
  }
}

function checkListSeen(value: JsonObject): NonNullable<WorldMemory['listSeen']> {
  return { root: hexOf(value['root']), position: wholeOf(value['position']) }
}

function checkDenied(value: JsonObject): DeniedMemory {
  return {
    origin: textOf(value['origin']),
    size: wholeOf(value['size']),
    lines: linesOf(value['lines']),
  }
}

/** The head of a revocation memory; the list behind it is proved by its root wherever it is used. */
export function checkRevocations(value: JsonObject): Omit<RevocationMemory, 'list'> {
  if (value['v'] !== 1) wrong()
  return {
    root: hexOf(value['root']),
    seen: wholeOf(value['seen']),
    tombstones: tombstonesOf(value['tombstones']),
    ...(value['absent'] !== undefined && { absent: tombstonesOf(value['absent']) }),
  }
}

function tombstonesOf(value: JsonValue | undefined): readonly Tombstone[] {
  return listOf(value).map((one) => {
    const { line, seen } = objectOf(one)
    const [text = ''] = linesOf([line ?? null])
    return { line: text, seen: wholeOf(seen) }
  })
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
    ...optional(value, 'used', (used) => listOf(used).map((one) => checkAccepted(objectOf(one)))),
    ownKids: textsOf(value['ownKids']),
    signKids: textsOf(value['signKids']),
    variants: Object.fromEntries(
      Object.entries(objectOf(value['variants'])).map(([name, when]) => [name, textOf(when)]),
    ),
    tools: textsOf(value['tools']),
    ...optional(value, 'seen', (seen) =>
      Object.fromEntries(Object.entries(objectOf(seen)).map(([item, all]) => [item, textsOf(all)])),
    ),
    ...optional(value, 'since', wholeOf),
    ...optional(value, 'questions', (all) => listOf(all).map((one) => checkQuestion(objectOf(one)))),
    ...optional(value, 'consents', (all) => listOf(all).map((one) => checkConsent(objectOf(one)))),
  }
}

/** The member, checked, where there is one. */
function optional<K extends string, T>(
  value: JsonObject,
  name: K,
  check: (given: JsonValue) => T,
): Partial<Record<K, T>> {
  const given = value[name]
  return given === undefined ? {} : ({ [name]: check(given) } as Record<K, T>)
}

function checkQuestion(value: JsonObject): Question {
  return {
    id: digestIn(value['id']),
    reason: oneOf(QUESTION_REASONS, value['reason']),
    server: textOf(value['server']),
    slot: textOf(value['slot']),
    ...optional(value, 'from', checkSide),
    to: checkSide(value['to']),
    class: oneOf(CHANGE_CLASSES, value['class']),
    items: textsOf(value['items']),
    askedAt: wholeOf(value['askedAt']),
  }
}

function checkSide(given: JsonValue | undefined): Side {
  const value = objectOf(given)
  return {
    version: textOf(value['version']),
    manifest: textOf(value['manifest']),
    ...optional(value, 'server', textOf),
    ...optional(value, 'kid', textOf),
    ...optional(value, 'variant', textOf),
  }
}

function checkConsent(value: JsonObject): Consent {
  return {
    question: digestIn(value['question']),
    decision: oneOf(['agreed', 'refused'] as const, value['decision']),
    at: wholeOf(value['at']),
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

function linesOf(value: JsonValue | undefined): readonly string[] {
  const lines = textsOf(value)
  lines.forEach(parseRevocationLine)
  return lines
}

function digestIn(value: JsonValue | undefined): Digest {
  return parseDigest(textOf(value))
}

function oneOf<T extends string>(allowed: readonly T[], value: JsonValue | undefined): T {
  return allowed.find((one) => one === value) ?? wrong()
}

function hexOf(value: JsonValue | undefined): string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? value : wrong()
}

function wholeOf(value: JsonValue | undefined): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : wrong()
}
