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
}

/** Where secrets come from: a type of its own, so that nothing that prints a Config can print it. */
export interface Secrets {
  readonly logKeyFile?: string
}

export type Command = 'serve' | 'print-config' | 'migrate' | 'help'
export type LogLevel = (typeof LOG_LEVELS)[number]

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
const COMMANDS: readonly Command[] = ['serve', 'print-config', 'migrate', 'help']
const SETTINGS = [
  'PUBLIC_URL',
  'LISTEN',
  'DATA_DIR',
  'ROLLBACK_FILE',
  'TRUST_PROXY',
  'LOG_LEVEL',
  'IDENTITY',
  'LOG_KEY_FILE',
] as const
/** The command line client's own settings: often in the same environment, none of the registry's business. */
const CLIENT_SETTINGS = ['HOME', 'REGISTRY']
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/

type Setting = (typeof SETTINGS)[number]
type Environment = Readonly<Record<string, string | undefined>>

/** Reads the environment, once: refuses unknown names, then every value by its own rule. */
export function readConfig(env: Environment): { config: Config; secrets: Secrets } {
  assertKnownNames(env)
  const text = (name: Setting): string | undefined => env[PREFIX + name]?.trim() || undefined
  const listen = parseListen(text('LISTEN') ?? '127.0.0.1:8460')
  const publicUrl = parsePublicUrl(text('PUBLIC_URL'), listen.host)
  const rollbackFile = text('ROLLBACK_FILE')
  const identity = parseIdentity(text('IDENTITY'))
  const logKeyFile = text('LOG_KEY_FILE')
  const stateHome = env['XDG_STATE_HOME']
  return {
    config: {
      ...(publicUrl === undefined ? {} : { publicUrl }),
      listen,
      dataDir: resolve(text('DATA_DIR') ?? 'data'),
      ...(rollbackFile === undefined ? {} : { rollbackFile: resolve(rollbackFile) }),
      ...(stateHome === undefined ? {} : { stateHome }),
      trustProxy: parseTrustProxy(text('TRUST_PROXY') ?? '0'),
      logLevel: parseLogLevel(text('LOG_LEVEL') ?? 'info'),
      ...(identity === undefined ? {} : { identity }),
    },
    secrets: logKeyFile === undefined ? {} : { logKeyFile: resolve(logKeyFile) },
  }
}

/** `serve` unless told otherwise; `--print-config` and `--help` win over any command. */
export function parseCommand(argv: readonly string[]): Command {
  if (argv.includes('--help') || argv.includes('-h')) return 'help'
  const words = argv.filter((word) => word !== '--print-config')
  const word = words[0] ?? 'serve'
  const command = COMMANDS.find((known) => known === word)
  if (command === undefined || words.length > 1) {
    const wrong = command === undefined ? word : (words[1] ?? word)
    throw new ConfigError(wrong, `"${wrong}" is not a command; did you mean "${closest(wrong, COMMANDS)}"?`)
  }
  return argv.includes('--print-config') ? 'print-config' : command
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

function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text)
  if (level !== undefined) return level
  throw wrong('LOG_LEVEL', `"${text}" is not a level; did you mean "${closest(text, LOG_LEVELS)}"?`)
}

function parseIdentity(text: string | undefined): string | undefined {
  if (text === undefined || isRegistryIdentity(text)) return text
  throw wrong('IDENTITY', 'is a name of lower-case letters, digits, dots and hyphens')
}

function wrong(name: Setting, message: string): ConfigError {
  return new ConfigError(PREFIX + name, `${PREFIX}${name} ${message}`)
}

/** The candidate with the smallest edit distance. */
function closest(text: string, candidates: readonly string[]): string {
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
