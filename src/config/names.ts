import { ConfigError } from './errors.js'

const PREFIX = 'COUNTERSIGN_'

/** Every setting of the registry, without the prefix. */
export const SETTINGS = [
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
  'WEBHOOK_URL_FILE',
  'DATABASE_URL',
  'DATABASE_URL_FILE',
  'METRICS_TOKEN_FILE',
  'PRIVATE',
  'HOST_POLICY_FILE',
] as const
/** The command line client's own settings: often in the same environment, none of the registry's business. */
const CLIENT_SETTINGS = ['HOME', 'REGISTRY', 'ID_TOKEN']

export type Setting = (typeof SETTINGS)[number]
export type Environment = Readonly<Record<string, string | undefined>>
export type Read = (name: Setting) => string | undefined

/** A setting that is blank is one that is not set. */
export function settingsOf(env: Environment): Read {
  return (name) => env[PREFIX + name]?.trim() || undefined
}

export function assertKnownNames(env: Environment): void {
  const known = [...SETTINGS, ...CLIENT_SETTINGS].map((name) => PREFIX + name)
  for (const name of Object.keys(env)) {
    if (!name.toUpperCase().startsWith(PREFIX) || known.includes(name)) continue
    throw new ConfigError(name, `${name} is not a setting; did you mean ${closest(name, known)}?`)
  }
}

/** What is said of a setting never quotes a value that may be a secret. */
export function wrong(name: Setting, message: string): ConfigError {
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
