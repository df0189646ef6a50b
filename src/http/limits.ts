import { isIP, isIPv6 } from 'node:net'
import type { Counter, CounterRate, CounterState } from '../storage/store.js'
import { HttpProblem } from './problems.js'

export type Rate = CounterRate

/** How often the expensive doors open: an address for tokens and passwords, an account for writes and large bodies. */
export interface Limits {
  readonly token: Rate
  readonly bootstrap: Rate
  /** Logins that are begun, by everybody together. */
  readonly starts: Rate
  readonly writes: Rate
  readonly large: Rate
  /** Of each account and of each address: a claim, a proof, a check or the test of a webhook makes the registry ask others. */
  readonly proofs: Rate
  /** Of an address: what its hosts saw elsewhere. */
  readonly seen: Rate
  /** Of an account, else of an address: whatever has no limit of its own. */
  readonly reads: Rate
}

export const DEFAULT_LIMITS: Limits = {
  token: { points: 120, seconds: 60 },
  bootstrap: { points: 10, seconds: 60 },
  // Each keeps some kilobytes for half an hour: no number of addresses fills the disk.
  starts: { points: 6000, seconds: 60 },
  // One account may not take the sequencer from everybody else; a bulk import by one publisher still fits.
  writes: { points: 5000, seconds: 10 },
  // Judging four hostile MiB takes most of a second, and what others publish waits behind it. Real manifests are smaller.
  large: { points: 15, seconds: 60 },
  // One look may ask a dozen names and wait for each: nobody borrows the registry to ask the whole world.
  proofs: { points: 60, seconds: 60 },
  // A signature check each. Hosts report when something is wrong, and many of them may share an address.
  seen: { points: 120, seconds: 60 },
  // An index lookup or two each. Hosts behind one address share it; what they all fetch is finished bytes, not counted.
  reads: { points: 6000, seconds: 60 },
}

/** Bodies of more bytes are large. */
export const LARGE_BYTES = 1024 * 1024

export type LimitName = keyof Limits
export type Limiter = (name: LimitName, key: string) => Promise<Readonly<Record<string, string>>>

/** Opens a counter; the store's counts for all processes. */
export type OpenCounter = (name: string, rate: Rate) => Counter

/**
 * A limiter that answers with the headers to send, or refuses with `rate-limited` and when to come again. `onRefused`
 * hears which limit it was.
 */
export function openLimiter(
  limits: Limits,
  open: OpenCounter,
  onRefused: (name: LimitName) => void = () => undefined,
): Limiter {
  const counters = new Map(
    Object.entries(limits).map(([name, rate]: [string, Rate]) => [name, open(name, rate)]),
  )
  return async (name, key) => {
    const counter = counters.get(name)
    if (counter === undefined) throw new Error(`there is no limit called ${name}`)
    const state = await counter.take(key)
    const headers = rateHeaders(name, limits[name], state)
    if (state.isAllowed) return headers
    onRefused(name)
    const wait = String(Math.max(1, secondsOf(state)))
    throw new HttpProblem('rate-limited', 'too many requests', { ...headers, 'Retry-After': wait })
  }
}

/** As most clients know them, and as draft-ietf-httpapi-ratelimit-headers has them. */
function rateHeaders(
  name: LimitName,
  { points, seconds }: Rate,
  state: CounterState,
): Record<string, string> {
  const left = Math.max(0, state.remaining)
  const wait = secondsOf(state)
  return {
    'RateLimit-Limit': String(points),
    'RateLimit-Remaining': String(left),
    'RateLimit-Reset': String(wait),
    'RateLimit-Policy': `"${name}";q=${points};w=${seconds}`,
    RateLimit: `"${name}";r=${left};t=${wait}`,
  }
}

function secondsOf({ resetMs }: CounterState): number {
  return Math.max(0, Math.ceil(resetMs / 1000))
}

/** The account where one is known, else the address: no account is called like one, since no name has a space. */
export function callerKey(account: string | undefined, ip: string | undefined): string {
  return account ?? `address ${addressKey(ip)}`
}

/**
 * What an address is counted as. Whoever has one IPv6 address has all of its /64: counting each would limit nobody
 * and remember all of them. Some proxies say the port as well, which is another one for each connection; what is no
 * address at all counts as one.
 */
export function addressKey(said = ''): string {
  const ip = withoutPort(said)
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1]
  if (mapped !== undefined) return mapped
  if (isIP(ip) === 0) return 'unknown'
  return isIPv6(ip) ? `${firstGroups(ip.replace(/%.*$/, '')).join(':')}::/64` : ip
}

function withoutPort(said: string): string {
  const [, v4, v6] = /^(?:(\d+(?:\.\d+){3})|\[([^\]]*)\])(?::\d{1,5})?$/.exec(said) ?? []
  return v4 ?? v6 ?? said
}

/** The first four of the eight groups, in one spelling. */
function firstGroups(ip: string): string[] {
  const [left = [], right = []] = ip
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''))
  // Four bytes at the end may be written as IPv4, in place of two groups.
  const written = left.length + right.length + (ip.includes('.') ? 1 : 0)
  const zeros = Array.from({ length: 8 - written }, () => '0')
  return [...left, ...zeros, ...right].slice(0, 4).map((group) => parseInt(group, 16).toString(16))
}
