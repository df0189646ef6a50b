import type { ChangeClass, Reaction } from '../change/class.js'
import {
  foldServerName,
  HOST_POLICY_FORMAT,
  isJsonObject,
  isRegistryIdentity,
  MAX_POLICY_BYTES,
  parseStrictJson,
  type JsonValue,
} from '../core/index.js'
import { checkShape, flag, literal, mismatch, object, optional, whole, type Check } from '../core/shape.js'
import type { HostPolicy, Strictness } from './types.js'

const MAX_PREFIXES = 256
const MAX_SECONDS = 31_536_000
/** A prefix that ended in a dot or a slash would match nothing, and so let what it was written for fall through. */
const PREFIX = /^(?:\*|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?:\/[A-Za-z0-9._-]+)?)$/
const MAX_PREFIX_LENGTH = 200

/**
 * Parses a host policy strictly: a member this version does not know is refused, for it may forbid something.
 * @throws CountersignError `policy-malformed`, or a `json-…` code
 */
export function parseHostPolicy(input: Uint8Array | string): HostPolicy {
  return checkHostPolicy(parseStrictJson(input, { maxBytes: MAX_POLICY_BYTES, maxDepth: 4 }))
}

/** The same of a value that was parsed strictly. @throws CountersignError `policy-malformed` */
export function checkHostPolicy(value: JsonValue): HostPolicy {
  const { mode = 'enforce', managed = false, ...given } = membersOf(value)
  return { ...given, mode, managed, unknownServers: given.unknownServers ?? (managed ? 'block' : 'pin') }
}

function membersOf(value: JsonValue) {
  return checkShape(
    (given, where) => {
      if (!isJsonObject(given) || given['format'] !== HOST_POLICY_FORMAT)
        mismatch(`${where}/format`, `must be ${HOST_POLICY_FORMAT}`)
      return members(Object.fromEntries(Object.entries(given).filter(([name]) => name !== 'format')), where)
    },
    value,
    'policy-malformed',
    'host policy',
  )
}

const reaction: Check<Reaction> = literal('silent', 'recorded', 'consent')
const strictness: Check<Strictness> = literal('enforce', 'report', 'off')
const seconds = whole(1, MAX_SECONDS)

/** PROTOCOL 12: whatever a policy says, a dangerous change never passes without a trace. */
const consent: Check<Readonly<Partial<Record<ChangeClass, Reaction>>>> = object({
  none: optional(reaction),
  cosmetic: optional(reaction),
  narrowed: optional(reaction),
  text: optional(reaction),
  widened: optional(reaction),
  dangerous: optional(literal('recorded', 'consent')),
})

const registries: Check<Readonly<Record<string, string>>> = (value, where) => {
  const entries = isJsonObject(value) ? Object.entries(value) : mismatch(where, 'must be an object')
  if (entries.length > MAX_PREFIXES) mismatch(where, `must have at most ${MAX_PREFIXES} prefixes`)
  // Names that differ only in case are one name: two registries for it would be none.
  if (new Set(entries.map(([prefix]) => foldServerName(prefix))).size !== entries.length)
    mismatch(where, 'names a prefix twice')
  for (const [prefix, identity] of entries) {
    if (prefix.length > MAX_PREFIX_LENGTH || !PREFIX.test(prefix))
      mismatch(`${where}/${prefix}`, 'is no prefix of server names')
    if (typeof identity !== 'string' || !isRegistryIdentity(identity))
      mismatch(`${where}/${prefix}`, 'must be the identity of a registry')
  }
  return Object.fromEntries(entries) as Readonly<Record<string, string>>
}

const members = object({
  mode: optional(literal('enforce', 'observe')),
  unknownServers: optional(literal('block', 'pin', 'pass')),
  managed: optional(flag),
  registries: optional(registries),
  offlineMaxSeconds: optional(seconds),
  refreshSeconds: optional(seconds),
  maxSeconds: optional(seconds),
  consent: optional(consent),
  scopes: optional(strictness),
  arguments: optional(strictness),
  results: optional(strictness),
  uniqueToolNames: optional(flag),
  dynamicResources: optional(literal('pass', 'drop')),
  refusals: optional(literal('hide', 'explain')),
})
