import { AuthError } from '../errors.js'

const MAX_URIS = 10
const MAX_LENGTH = 512
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])
/** RFC 8252 7.1: a private scheme is a domain name in reverse, so that its owner can be told. */
const PRIVATE_SCHEME = /^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+:$/

/**
 * Where a browser may be sent with a code: https, http to this machine, or an app's private scheme.
 * @throws AuthError `client-invalid`
 */
export function assertRedirectUris(uris: readonly string[]): void {
  if (uris.length > MAX_URIS) throw invalid(`at most ${MAX_URIS} of them`)
  if (new Set(uris).size !== uris.length) throw invalid('each of them once')
  for (const uri of uris) assertRedirectUri(uri)
}

function assertRedirectUri(uri: string): void {
  if (uri.length > MAX_LENGTH || !/^[\x21-\x7e]+$/.test(uri) || uri.includes('*') || !URL.canParse(uri)) {
    throw invalid('each is an absolute URL without wildcards')
  }
  const { protocol, hostname, username, password, href } = new URL(uri)
  if (uri.includes('#')) throw invalid('without a fragment')
  if (username !== '' || password !== '') throw invalid('without user and password')
  if (protocol === 'https:') return
  if (protocol === 'http:' && LOOPBACK.has(hostname)) return
  if (PRIVATE_SCHEME.test(protocol) && href.length > protocol.length) return
  throw invalid('https, http on a loopback address, or a private scheme such as com.example.app:/callback')
}

function invalid(rule: string): AuthError {
  return new AuthError('client-invalid', `redirectUris: ${rule}`)
}
