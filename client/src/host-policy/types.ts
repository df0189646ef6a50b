import type { ChangeClass, Reaction } from '../change/class.js'

export { HOST_POLICY_FORMAT, MAX_POLICY_BYTES } from '../core/index.js'

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
