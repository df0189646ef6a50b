import { resolve } from 'node:path'
import { parseDatabaseUrl } from './config/database-url.js'
import { assertOtherIssuer, readExternalIssuer, type ExternalIssuerConfig } from './config/issuer.js'
import { assertKnownNames, settingsOf, type Environment, type Read } from './config/names.js'
import { parseMetricsToken, readSecret } from './config/secrets.js'
import {
  mapped,
  parseDnsServers,
  parseIdentity,
  parseListen,
  parseOneOf,
  parsePublicUrl,
  parseTrustProxy,
  parseWebhookUrl,
  present,
  readSeconds,
} from './config/values.js'

export { ConfigError } from './config/errors.js'
export type { ExternalIssuerConfig, IssuerAlgorithm } from './config/issuer.js'
export { closest } from './config/names.js'

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
  /** What the organisation asks of its hosts: a policy that they may take from here. Absent: none. */
  readonly hostPolicyFile?: string
  /** How often the proofs behind namespaces are looked at again. Absent: a day. */
  readonly proofCheckSeconds?: number
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
export type Privacy = (typeof PRIVACIES)[number]
export type DpopRule = (typeof DPOP_RULES)[number]

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
const DPOP_RULES = ['optional', 'admin'] as const
const PRIVACIES = ['reads', 'all'] as const
/** Longer than a year is never. */
const MAX_RECOVERY_SECONDS = 31_536_000
/** Three looks must fit into the week after which a lapsed proof suspends. */
const MAX_CHECK_SECONDS = 172_800

/** Reads the environment, once: refuses unknown names, then every value by its own rule, then the files of secrets. */
export function readConfig(env: Environment): { config: Config; secrets: Secrets } {
  assertKnownNames(env)
  const text = settingsOf(env)
  const config = readOpen(env, text)
  assertOtherIssuer(config.publicUrl, config.externalIssuer)
  return { config, secrets: readSecrets(text) }
}

function readOpen(env: Environment, text: Read): Config {
  const listen = parseListen(text('LISTEN') ?? '127.0.0.1:8460')
  return present({
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
    privacy: mapped(text('PRIVATE'), (what) => parseOneOf('PRIVATE', PRIVACIES, what)),
    keyRecoverySeconds: readSeconds(text, 'KEY_RECOVERY_SECONDS', MAX_RECOVERY_SECONDS),
    hostPolicyFile: mapped(text('HOST_POLICY_FILE'), resolve),
    proofCheckSeconds: readSeconds(text, 'PROOF_CHECK_SECONDS', MAX_CHECK_SECONDS),
  })
}

function readSecrets(text: Read): Secrets {
  return present({
    logKeyFile: mapped(text('LOG_KEY_FILE'), resolve),
    webhookUrl: mapped(readSecret(text, 'WEBHOOK_URL', 'WEBHOOK_URL_FILE'), parseWebhookUrl),
    databaseUrl: mapped(readSecret(text, 'DATABASE_URL', 'DATABASE_URL_FILE'), parseDatabaseUrl),
    metricsToken: mapped(readSecret(text, undefined, 'METRICS_TOKEN_FILE'), parseMetricsToken),
  })
}
