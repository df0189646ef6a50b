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
  assertTransport(url)
  return text
}

/** Everything the registry holds crosses this connection, and its password does as well. */
function assertTransport(url: URL): void {
  const { searchParams: given } = url
  if (given.has('ssl')) throw refused('says what it wants with sslmode=, not with ssl=')
  if (given.getAll('sslmode').length > 1 || given.getAll('host').length > 1) {
    throw refused('says sslmode= or host= twice')
  }
  const mode = given.get('sslmode')
  if (mode !== null && !SSL_MODES.includes(mode)) throw refused(`knows sslmode= ${SSL_MODES.join(', ')}`)
  if (mode !== null || isLocal(given.get('host') ?? url.hostname)) return
  throw refused(
    'would send everything in the clear to another machine: add ?sslmode=verify-full, or write sslmode=disable where ' +
      'the network between is yours alone',
  )
}

/** On this machine: loopback, or a socket in a folder. */
function isLocal(host: string): boolean {
  // Of a host only a slash is ever written in percents: the folder of a socket.
  const name = host.replace(/%2f/gi, '/')
  return name === '' || name.startsWith('/') || isLoopback(name)
}

function refused(message: string): Error {
  return wrong('DATABASE_URL', message)
}
