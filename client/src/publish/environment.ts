import { refuse } from '../core/index.js'

/** What any program needs to start; everything else of our environment may be a secret and is not passed on. */
const PASSED = new Set([
  ...['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR', 'TMP', 'TEMP'],
  ...['APPDATA', 'LOCALAPPDATA', 'HOMEDRIVE', 'HOMEPATH', 'PATHEXT', 'PROCESSOR_ARCHITECTURE', 'SYSTEMDRIVE'],
  ...['SYSTEMROOT', 'USERNAME', 'USERPROFILE', 'PROGRAMFILES', 'PROGRAMDATA', 'COMSPEC', 'WINDIR'],
  ...[
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
    'ALL_PROXY',
    'NODE_EXTRA_CA_CERTS',
    'SSL_CERT_FILE',
    'SSL_CERT_DIR',
  ],
])

/** `LC_ALL` and its kind; npm's own settings, which name mirrors and caches that `npx` needs. */
const PASSED_PREFIX = /^(?:LC_|NPM_CONFIG_|XDG_)/

const MAX_NAMES = 64

/**
 * The environment for a server under capture: an allow-list of ours, and what was asked for.
 * @param asked `NAME` (our value) or `NAME=VALUE`
 * @returns the environment and the names that were asked for, sorted: they belong to the launch description
 * @throws CountersignError `usage` for a malformed or unset name
 */
export function serverEnvironment(
  asked: readonly string[],
  own: NodeJS.ProcessEnv = process.env,
): { env: Record<string, string>; names: string[] } {
  if (asked.length > MAX_NAMES) refuse('usage', `more than ${MAX_NAMES} environment variables`)
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(own)) {
    const upper = name.toUpperCase()
    if (value !== undefined && (PASSED.has(upper) || PASSED_PREFIX.test(upper))) env[name] = value
  }
  const names = asked.map((text) => {
    const [name, value] = splitAsked(text, own)
    env[name] = value
    return name
  })
  return { env, names: [...new Set(names)].sort() }
}

function splitAsked(text: string, own: NodeJS.ProcessEnv): [string, string] {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?:=([\s\S]*))?$/.exec(text)
  const name = match?.[1]
  if (name === undefined) refuse('usage', 'an environment variable is given as NAME or NAME=VALUE')
  const value = match?.[2] ?? own[name]
  if (value === undefined) refuse('usage', `the environment variable ${name} is not set`)
  return [name, value]
}
