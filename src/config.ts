import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { isRegistryIdentity } from 'countersign/core'

/** What a registry needs to know before it starts; everything here may be printed. */
export interface Config {
  /** Where clients reach this registry, without a path. Absent: taken from the address that was bound. */
  readonly publicUrl?: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly dataDir: string
  /** Absent: a file named after the identity in the per-user state folder, never under `dataDir`. */
  readonly rollbackFile?: string
  /** Where the per-user state folder is, when the environment says so (XDG_STATE_HOME). */
  readonly stateHome?: string
  /** Hops (a number) or proxies (names and networks) whose `X-Forwarded-*` is believed; none by default. */
  readonly trustProxy: number | readonly string[]
  readonly logLevel: LogLevel
  /** Only before the first start. */
  readonly identity?: string
  /** Only before the first start: JSON of the `authorities` and `approvers` of the first trust root. */
  readonly rootFile?: string
  /** Only before the first start: the witnesses of the first trust root, as a tlog-policy. */
  readonly witnessPolicyFile?: string
  /** Where people log in; absent: at this registry itself. */
  readonly externalIssuer?: ExternalIssuerConfig
  /** Whether tokens that carry `registry:admin` must be bound to a key (RFC 9449). Absent: `optional`. */
  readonly dpop?: DpopRule
  /** Who is asked for the TXT records of domains; absent: the system's servers. */
  readonly dnsServers?: readonly string[]
  /** How long a key that authorities gave waits before it counts. Absent: a week. */
  readonly keyRecoverySeconds?: number
  /** What may be read without a token. Absent: everything. `reads`: not the API; `all`: not the log and `/v0.1` either. */
  readonly privacy?: Privacy
  /** How often the proofs behind namespaces are looked at again. Absent: a day. */
  readonly proofCheckSeconds?: number
}

/** An authorization server that is not ours; accounts are its subjects. */
export interface ExternalIssuerConfig {
  /** Exactly as the `iss` of its tokens has it. */
  readonly url: string
  /** The `aud` of its access tokens; absent: the public URL. */
  readonly audience?: string
  /** The public client that the command line logs in with. */
  readonly clientId?: string
  /** The `sub` of the person who is an admin from the start. */
  readonly admin?: string
  /** A claim that lists roles; the issuer alone decides on roles then. */
  readonly rolesClaim?: string
  readonly algorithms: readonly IssuerAlgorithm[]
}

/** Where secrets come from: a type of its own, so that nothing that prints a Config can print it. */
export interface Secrets {
  readonly logKeyFile?: string
  /** Receivers put their secret into the path. */
  readonly webhookUrl?: string
  /** `postgres://…`, with a password in it; absent: SQLite in the data folder. */
  readonly databaseUrl?: string
  /** What `/metrics` is read with; absent: only from this machine. */
  readonly metricsToken?: string
}

export type LogLevel = (typeof LOG_LEVELS)[number]
export type Privacy = 'reads' | 'all'
export type DpopRule = (typeof DPOP_RULES)[number]
export type IssuerAlgorithm = (typeof ISSUER_ALGORITHMS)[number]

/** The environment or the command line asks for something that is not there. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly setting: string

  constructor(setting: string, message: string) {
    super(message)
    this.setting = setting
  }
}

const PREFIX = 'COUNTERSIGN_'
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
const DPOP_RULES = ['optional', 'admin'] as const
/** Asymmetric ones only: with a shared secret, whoever verifies could sign. */
const ISSUER_ALGORITHMS = ['EdDSA', 'Ed25519', 'ES256', 'PS256', 'RS256'] as const
const SETTINGS = [
  'PUBLIC_URL',
  'LISTEN',
  'DATA_DIR',
  'ROLLBACK_FILE',
  'TRUST_PROXY',
  'LOG_LEVEL',
  'IDENTITY',
  'LOG_KEY_FILE',
  'ROOT_FILE',
  'WITNESS_POLICY_FILE',
  'ISSUER',
  'ISSUER_AUDIENCE',
  'ISSUER_CLIENT_ID',
  'ISSUER_ADMIN',
  'ISSUER_ROLES_CLAIM',
  'ISSUER_ALGORITHMS',
  'DPOP',
  'DNS_SERVERS',
  'KEY_RECOVERY_SECONDS',
  'PROOF_CHECK_SECONDS',
  'WEBHOOK_URL',
] as const
/** The command line client's own settings: often in the same environment, none of the registry's business. */
const CLIENT_SETTINGS = ['HOME', 'REGISTRY', 'ID_TOKEN']
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/

type Setting = (typeof SETTINGS)[number]
type Environment = Readonly<Record<string, string | undefined>>
type Read = (name: Setting) => string | undefined

const MIN_SECONDS = 60
/** Longer than a year is never. */
const MAX_RECOVERY_SECONDS = 31_536_000
/** Three looks must fit into the week after which a lapsed proof suspends. */
const MAX_CHECK_SECONDS = 172_800

/** Reads the environment, once: refuses unknown names, then every value by its own rule. */
export function readConfig(env: Environment): { config: Config; secrets: Secrets } {
  assertKnownNames(env)
  const text: Read = (name) => env[PREFIX + name]?.trim() || undefined
  const listen = parseListen(text('LISTEN') ?? '127.0.0.1:8460')
  const config: Config = present({
    publicUrl: parsePublicUrl(text('PUBLIC_URL'), listen.host),
    listen,
    dataDir: resolve(text('DATA_DIR') ?? 'data'),
    rollbackFile: mapped(text('ROLLBACK_FILE'), resolve),
    stateHome: env['XDG_STATE_HOME'],
    trustProxy: parseTrustProxy(text('TRUST_PROXY') ?? '0'),
    logLevel: parseOneOf('LOG_LEVEL', LOG_LEVELS, text('LOG_LEVEL') ?? 'info'),
    identity: parseIdentity(text('IDENTITY')),
    rootFile: mapped(text('ROOT_FILE'), resolve),
    witnessPolicyFile: mapped(text('WITNESS_POLICY_FILE'), resolve),
    externalIssuer: readExternalIssuer(text),
    dpop: mapped(text('DPOP'), (rule) => parseOneOf('DPOP', DPOP_RULES, rule)),
    dnsServers: mapped(text('DNS_SERVERS'), parseDnsServers),
    keyRecoverySeconds: readSeconds(text, 'KEY_RECOVERY_SECONDS', MAX_RECOVERY_SECONDS),
    proofCheckSeconds: readSeconds(text, 'PROOF_CHECK_SECONDS', MAX_CHECK_SECONDS),
  })
  assertOtherIssuer(config)
  const secrets: Secrets = present({
    logKeyFile: mapped(text('LOG_KEY_FILE'), resolve),
    webhookUrl: mapped(text('WEBHOOK_URL'), parseWebhookUrl),
  })
  return { config, secrets }
}

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** Without the members that nobody set. */
function present<T extends object>(members: T): Present<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Present<T>
}

function mapped<T>(text: string | undefined, parse: (text: string) => T): T | undefined {
  return text === undefined ? undefined : parse(text)
}

function assertKnownNames(env: Environment): void {
  const known = [...SETTINGS, ...CLIENT_SETTINGS].map((name) => PREFIX + name)
  for (const name of Object.keys(env)) {
    if (!name.toUpperCase().startsWith(PREFIX) || known.includes(name)) continue
    throw new ConfigError(name, `${name} is not a setting; did you mean ${closest(name, known)}?`)
  }
}

function parseListen(text: string): Config['listen'] {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):)?(\d{1,5})$/.exec(text)
  const port = Number(match?.[2])
  if (match === null || port > 65535) throw wrong('LISTEN', 'is HOST:PORT, such as 127.0.0.1:8460')
  return { host: (match[1] ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port }
}

function parsePublicUrl(text: string | undefined, host: string): string | undefined {
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

function parseTrustProxy(text: string): number | readonly string[] {
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

function parseOneOf<T extends string>(name: Setting, known: readonly T[], text: string): T {
  const found = known.find((one) => one === text)
  if (found !== undefined) return found
  throw wrong(name, `"${text}" is none of ${known.join(', ')}; did you mean "${closest(text, known)}"?`)
}

function parseIdentity(text: string | undefined): string | undefined {
  if (text === undefined || isRegistryIdentity(text)) return text
  throw wrong('IDENTITY', 'is a name of lower-case letters, digits, dots and hyphens')
}

/** An external issuer, when one is named: its other settings mean nothing alone. */
function readExternalIssuer(text: Read): ExternalIssuerConfig | undefined {
  const url = mapped(text('ISSUER'), parseIssuer)
  if (url === undefined) {
    const stray = SETTINGS.find((name) => name.startsWith('ISSUER_') && text(name) !== undefined)
    if (stray !== undefined) throw wrong(stray, `says something about ${PREFIX}ISSUER, which is not set`)
    return undefined
  }
  return present({
    url,
    audience: mapped(text('ISSUER_AUDIENCE'), (value) => parseWord('ISSUER_AUDIENCE', value)),
    clientId: mapped(text('ISSUER_CLIENT_ID'), (value) => parseWord('ISSUER_CLIENT_ID', value)),
    admin: mapped(text('ISSUER_ADMIN'), (value) => parseWord('ISSUER_ADMIN', value)),
    rolesClaim: mapped(text('ISSUER_ROLES_CLAIM'), (value) => parseWord('ISSUER_ROLES_CLAIM', value)),
    algorithms: parseAlgorithms(text('ISSUER_ALGORITHMS')),
  })
}

/** Compared with `iss` letter by letter, so it is kept as it was written: a slash at its end counts. */
function parseIssuer(text: string): string {
  const url = parseUrl('ISSUER', text)
  if (url.search || url.hash || url.username || url.password) {
    throw wrong('ISSUER', 'has no query, fragment or user')
  }
  if (text !== url.href && `${text}/` !== url.href) {
    throw wrong('ISSUER', `is written as ${url.href}, with or without the slash at the end`)
  }
  return text
}

function parseAlgorithms(text: string | undefined): readonly IssuerAlgorithm[] {
  if (text === undefined) return ISSUER_ALGORITHMS
  const names = text.split(',').map((name) => parseOneOf('ISSUER_ALGORITHMS', ISSUER_ALGORITHMS, name.trim()))
  return [...new Set(names)]
}

function parseWord(name: Setting, text: string): string {
  if (/^[\x21-\x7e]{1,255}$/.test(text)) return text
  throw wrong(name, 'is one word of at most 255 printable ASCII characters')
}

function parseUrl(name: Setting, text: string): URL {
  const url = URL.canParse(text) && text.length <= 2048 ? new URL(text) : undefined
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname))) return url
  throw wrong(name, 'is an https: URL (http: only for loopback)')
}

function parseWebhookUrl(text: string): string {
  const url = parseUrl('WEBHOOK_URL', text)
  // Nothing would ever be sent there.
  if (url.username || url.password) throw wrong('WEBHOOK_URL', 'has no user: put a secret into its path')
  return url.href
}

function parseDnsServers(text: string): readonly string[] {
  const servers = text.split(',').map((part) => part.trim())
  if (servers.length <= 8 && servers.every(isDnsServer)) return servers
  throw wrong('DNS_SERVERS', 'is a list of at most 8 addresses, such as 192.0.2.53,[2001:db8::53]:5353')
}

function isDnsServer(text: string): boolean {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::([1-9]\d{0,4}))?$/.exec(text)
  if (match === null) return isIP(text) === 6
  return isIP(match[1] ?? match[2] ?? '') !== 0 && Number(match[3] ?? 53) <= 65_535
}

function readSeconds(text: Read, name: Setting, most: number): number | undefined {
  return mapped(text(name), (value) => {
    const seconds = /^\d{1,9}$/.test(value) ? Number(value) : 0
    if (seconds >= MIN_SECONDS && seconds <= most) return seconds
    throw wrong(name, `is a number of seconds from ${MIN_SECONDS} to ${most}`)
  })
}

/** Two verifiers of one issuer would be two sets of rules for one token. */
function assertOtherIssuer({ publicUrl, externalIssuer }: Config): void {
  if (publicUrl === undefined || externalIssuer?.url.replace(/\/$/, '') !== publicUrl) return
  throw wrong('ISSUER', 'is this registry itself; leave it out to log in here')
}

function wrong(name: Setting, message: string): ConfigError {
  return new ConfigError(PREFIX + name, `${PREFIX}${name} ${message}`)
}

/** The candidate with the smallest edit distance. */
export function closest(text: string, candidates: readonly string[]): string {
  const ranked = candidates.map((name) => ({ name, distance: editDistance(text, name) }))
  return ranked.reduce((best, next) => (next.distance < best.distance ? next : best)).name
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
