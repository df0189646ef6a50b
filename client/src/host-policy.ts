import type { ChangeClass, Reaction } from './change/class.js'
import {
  foldServerName,
  isRegistryIdentity,
  parseStrictJson,
  refuse,
  isJsonObject,
  type JsonObject,
} from './core/index.js'

export const HOST_POLICY_FORMAT = 'countersign/host-policy/v1'
const MAX_POLICY_BYTES = 64 * 1024

/** What a host does with what it finds (PROTOCOL 13). */
export interface HostPolicy {
  /** `observe` lets everything through as received and only records the verdicts. */
  readonly mode: 'enforce' | 'observe'
  /** Servers nobody signed: refused, remembered as first seen, or let through. */
  readonly unknownServers: 'block' | 'pin' | 'pass'
  /** An organisation manages this host; unknown servers are then blocked unless the policy says otherwise. */
  readonly managed: boolean
  /** Longest prefix of a server name -> registry identity; a match never falls through to another registry. */
  readonly registries?: Readonly<Record<string, string>>
  /** Seconds an explicit offline bundle may be old; may only lengthen what the trust root says. */
  readonly offlineMaxSeconds?: number
  /** Seconds after which the registry is asked again; may only shorten what the trust root says. */
  readonly refreshSeconds?: number
  /** Seconds a status may be old; may only shorten what the trust root says. */
  readonly maxSeconds?: number
  /** What this host does with a change of a class, where it is not what the table says (PROTOCOL 12). */
  readonly consent?: Readonly<Partial<Record<ChangeClass, Reaction>>>
  /** OAuth scopes that a tool's manifest requires, against the token of the transport. Default `report`. */
  readonly scopes?: Strictness
  /** Arguments of a call against the signed inputSchema. Default `report`. */
  readonly arguments?: Strictness
  /** `structuredContent` of a result against the signed outputSchema. Default `report`. */
  readonly results?: Strictness
  /** A tool name that another server of this host has already is withheld. Default false: recorded. */
  readonly uniqueToolNames?: boolean
  /** Resources nobody signed: passed with hidden characters removed, or dropped. Default `pass`. */
  readonly dynamicResources?: 'pass' | 'drop'
  /** How a refused call reads: `Unknown tool`, or an `isError` result with reason and remedy. */
  readonly refusals?: 'hide' | 'explain'
}

/** What is done about something that is wrong: refused, written down, or not looked at. */
export type Strictness = 'enforce' | 'report' | 'off'

/** PROTOCOL 13: enforce, and unknown servers are pinned with a visible note; blocked when managed. */
export const DEFAULT_HOST_POLICY: HostPolicy = Object.freeze({
  mode: 'enforce',
  unknownServers: 'pin',
  managed: false,
})

const MEMBERS: ReadonlySet<string> = new Set([
  'format',
  'mode',
  'unknownServers',
  'managed',
  'registries',
  'offlineMaxSeconds',
])

/**
 * Parses a host policy strictly: a member this version does not know is refused, for it may forbid something.
 * @throws CountersignError `policy-malformed`, or a `json-…` code
 */
export function parseHostPolicy(input: Uint8Array | string): HostPolicy {
  const value = parseStrictJson(input, { maxBytes: MAX_POLICY_BYTES })
  if (!isJsonObject(value) || value['format'] !== HOST_POLICY_FORMAT)
    malformed(`format is ${HOST_POLICY_FORMAT}`)
  for (const key of Object.keys(value))
    if (!MEMBERS.has(key)) malformed(`unknown member ${JSON.stringify(key)}`)
  const managed = readFlag(value, 'managed')
  const registries = readRegistries(value)
  const offlineMaxSeconds = readSeconds(value)
  return {
    mode: readChoice(value, 'mode', ['enforce', 'observe']) ?? 'enforce',
    unknownServers:
      readChoice(value, 'unknownServers', ['block', 'pin', 'pass']) ?? (managed ? 'block' : 'pin'),
    managed,
    ...(registries && { registries }),
    ...(offlineMaxSeconds !== undefined && { offlineMaxSeconds }),
  }
}

/**
 * Which registry may speak for a server: the longest prefix wins, and a match never falls through (PROTOCOL 11).
 * Prefixes end at a dot or a slash, so `com.acme` does not match `com.acmeevil/x`; case does not count, for names that
 * differ only in case are one name. Undefined: any.
 */
export function registryFor(policy: HostPolicy, server: string): string | undefined {
  const name = foldServerName(server)
  const fits = Object.entries(policy.registries ?? {}).filter(
    ([prefix]) =>
      name.startsWith(foldServerName(prefix)) && ['', '.', '/'].includes(name.charAt(prefix.length)),
  )
  return fits.sort(([a], [b]) => b.length - a.length)[0]?.[1]
}

function malformed(what: string): never {
  return refuse('policy-malformed', `host policy: ${what}`)
}

function readChoice<T extends string>(value: JsonObject, name: string, allowed: readonly T[]): T | undefined {
  const given = value[name]
  if (given === undefined) return undefined
  return allowed.find((one) => one === given) ?? malformed(`${name} is ${allowed.join(' or ')}`)
}

function readFlag(value: JsonObject, name: string): boolean {
  const given = value[name]
  if (given !== undefined && typeof given !== 'boolean') malformed(`${name} is true or false`)
  return given === true
}

function readSeconds(value: JsonObject): number | undefined {
  const given = value['offlineMaxSeconds']
  if (given === undefined) return undefined
  if (!Number.isSafeInteger(given) || Number(given) <= 0)
    malformed('offlineMaxSeconds is a whole number of seconds')
  return Number(given)
}

function readRegistries(value: JsonObject): Readonly<Record<string, string>> | undefined {
  const given = value['registries']
  if (given === undefined) return undefined
  if (!isJsonObject(given)) malformed('registries maps prefixes of server names to registry identities')
  for (const [prefix, identity] of Object.entries(given)) {
    if (prefix === '' || typeof identity !== 'string' || !isRegistryIdentity(identity)) {
      malformed(`registries: ${JSON.stringify(prefix)}`)
    }
  }
  return given as Record<string, string>
}
