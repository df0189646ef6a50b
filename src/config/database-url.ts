import { accessSync, constants } from 'node:fs'
import { wrong } from './names.js'
import { isLoopback } from './values.js'

const MAX_LENGTH = 2048
/** What the driver knows. An unknown word would leave the connection in the clear without saying so. */
const SSL_MODES = ['disable', 'no-verify', 'prefer', 'require', 'verify-ca', 'verify-full']

/** A PostgreSQL URL, as the driver takes it. Nothing of it is ever quoted: it may hold a password. */
export function parseDatabaseUrl(text: string): string {
  if (text.length > MAX_LENGTH || !/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) {
    throw refused(
      'is a URL such as postgres://USER:PASSWORD@HOST/DATABASE; without it SQLite in the data folder is used',
    )
  }
  const url = new URL(text)
  if (!/^\/[^/]+$/.test(url.pathname)) throw refused('names no database: postgres://…@HOST/DATABASE')
  if (url.hash !== '') throw refused('has a # in it: a password writes it as %23')
  if (!isDecodable(url)) throw refused('has a % in it that begins no character: a password writes it as %25')
  assertTransport(url)
  for (const name of SSL_FILES) assertFile(url, name)
  return text
}

/** Read by the driver, which would say what is wrong with them as a defect of the program. */
const SSL_FILES = ['sslrootcert', 'sslcert', 'sslkey']

/** Everything the registry holds crosses this connection, and its password does as well. */
function assertTransport(url: URL): void {
  const { searchParams: given } = url
  if (given.has('ssl')) throw refused('says what it wants with sslmode=, not with ssl=')
  if (given.getAll('sslmode').length > 1 || given.getAll('host').length > 1) {
    throw refused('says sslmode= or host= twice')
  }
  // As the driver has it: an empty word is none, and the environment (PGHOST) would say where to go then.
  const host = given.get('host') || url.hostname
  if (host === '')
    throw refused('names no host: postgres://…@HOST/DATABASE, or ?host= with the folder of a socket')
  const mode = given.get('sslmode')
  if (mode !== null && !SSL_MODES.includes(mode)) throw refused(`knows sslmode= ${SSL_MODES.join(', ')}`)
  if (mode !== null || isLocal(host)) return
  throw refused(
    'would send everything in the clear to another machine: add ?sslmode=verify-full, or write sslmode=disable where ' +
      'the network between is yours alone',
  )
}

function isDecodable({ username, password, pathname }: URL): boolean {
  try {
    return [username, password, pathname].map(decodeURIComponent).length > 0
  } catch {
    return false
  }
}

function assertFile({ searchParams }: URL, name: string): void {
  const file = searchParams.get(name)
  if (!file) return
  try {
    accessSync(file, constants.R_OK)
  } catch (cause) {
    const { code = 'unreadable' } = cause as NodeJS.ErrnoException
    throw refused(`names a file with ${name}= that cannot be read (${code})`)
  }
}

/** On this machine: loopback, or a socket in a folder. */
function isLocal(host: string): boolean {
  // Of a host only a slash is ever written in percents: the folder of a socket.
  const name = host.replace(/%2f/gi, '/')
  return name.startsWith('/') || isLoopback(name)
}

function refused(message: string): Error {
  return wrong('DATABASE_URL', message)
}
