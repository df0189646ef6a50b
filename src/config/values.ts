import { isIP } from 'node:net'
import { isRegistryIdentity } from 'countersign/core'
import { closest, wrong, type Read, type Setting } from './names.js'

// One rule a value: what a setting may say, and what it means.

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/
const MIN_SECONDS = 60

export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host)
}

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** Without the members that nobody set. */
export function present<T extends object>(members: T): Present<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Present<T>
}

export function mapped<T>(text: string | undefined, parse: (text: string) => T): T | undefined {
  return text === undefined ? undefined : parse(text)
}

export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):)?(\d{1,5})$/.exec(text)
  const port = Number(match?.[2])
  if (match === null || port > 65535) throw wrong('LISTEN', 'is HOST:PORT, such as 127.0.0.1:8460')
  return { host: (match[1] ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port }
}

export function parsePublicUrl(text: string | undefined, host: string): string | undefined {
  if (text === undefined) {
    if (LOOPBACK.test(host)) return undefined
    throw wrong('PUBLIC_URL', 'must say where clients reach this registry when it listens beyond loopback')
  }
  const url = URL.canParse(text) ? new URL(text) : undefined
  // Tokens are bearer secrets: plain HTTP is for this machine only.
  const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname))
  if (url === undefined || !safe) throw wrong('PUBLIC_URL', 'is an https: URL (http: only for loopback)')
  if (url.pathname !== '/' || url.search || url.hash || url.username || url.password) {
    throw wrong('PUBLIC_URL', 'has no path, query, fragment or user: the registry is at the root of its host')
  }
  return url.origin
}

export function parseTrustProxy(text: string): number | readonly string[] {
  if (/^[0-8]$/.test(text)) return Number(text)
  const proxies = text.split(',').map((part) => part.trim())
  if (proxies.every(isProxy)) return proxies
  throw wrong('TRUST_PROXY', 'is a number of hops (0-8) or a list of networks, such as loopback,10.0.0.0/8')
}

function isProxy(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true
  const [address = '', bits] = text.split('/', 2)
  return isIP(address) !== 0 && (bits === undefined || /^\d{1,3}$/.test(bits))
}

export function parseOneOf<T extends string>(name: Setting, known: readonly T[], text: string): T {
  const found = known.find((one) => one === text)
  if (found !== undefined) return found
  throw wrong(name, `"${text}" is none of ${known.join(', ')}; did you mean "${closest(text, known)}"?`)
}

export function parseIdentity(text: string | undefined): string | undefined {
  if (text === undefined || isRegistryIdentity(text)) return text
  throw wrong('IDENTITY', 'is a name of lower-case letters, digits, dots and hyphens')
}

export function parseUrl(name: Setting, text: string): URL {
  const url = URL.canParse(text) && text.length <= 2048 ? new URL(text) : undefined
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname))) return url
  throw wrong(name, 'is an https: URL (http: only for loopback)')
}

export function parseWebhookUrl(text: string): string {
  const url = parseUrl('WEBHOOK_URL', text)
  // Nothing would ever be sent there.
  if (url.username || url.password) throw wrong('WEBHOOK_URL', 'has no user: put a secret into its path')
  return url.href
}

export function parseDnsServers(text: string): readonly string[] {
  const servers = text.split(',').map((part) => part.trim())
  if (servers.length <= 8 && servers.every(isDnsServer)) return servers
  throw wrong('DNS_SERVERS', 'is a list of at most 8 addresses, such as 192.0.2.53,[2001:db8::53]:5353')
}

function isDnsServer(text: string): boolean {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::([1-9]\d{0,4}))?$/.exec(text)
  if (match === null) return isIP(text) === 6
  return isIP(match[1] ?? match[2] ?? '') !== 0 && Number(match[3] ?? 53) <= 65_535
}

export function readSeconds(text: Read, name: Setting, most: number): number | undefined {
  return mapped(text(name), (value) => {
    const seconds = /^\d{1,9}$/.test(value) ? Number(value) : 0
    if (seconds >= MIN_SECONDS && seconds <= most) return seconds
    throw wrong(name, `is a number of seconds from ${MIN_SECONDS} to ${most}`)
  })
}
