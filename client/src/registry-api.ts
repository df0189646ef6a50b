import { CountersignError, refuse, utf8Bytes } from './core/index.js'
import { staticApi } from './static-api.js'
import { MAX_LIST_BYTES, MAX_PROOF_BYTES, parseConsistency, parseLookup } from './static-api/answers.js'
import type { LookupQuery, ReadDocument, RegistryApi } from './static-api/api.js'
import { isRedirect, refuseStatus, request, type HttpAnswer, type HttpOptions } from './static-api/http.js'

export type { LookupQuery, LookupResult, RegistryApi, VersionSummary } from './static-api/api.js'

export interface RegistryApiOptions extends HttpOptions {
  /** Plain HTTP to other machines than this one. Nothing secret is sent, but who asks for what can be seen. */
  readonly allowHttp?: boolean
}

/** Larger notes are no checkpoints (PROTOCOL 7). */
const MAX_SEEN_BYTES = 64 * 1024

/**
 * Speaks to a registry over HTTPS, or to a mirror of it on any web server: what that cannot compute is made of its
 * files. Sizes and time are capped, redirects are refused, no credentials are sent but `token`, and that to no other place.
 * @throws CountersignError `usage` when the URL is not https (http is for loopback addresses, and never for a token)
 */
export function registryApi(url: string, options: RegistryApiOptions = {}): RegistryApi {
  const base = parseRegistryUrl(url, options)
  const stored = staticApi(readOver(base, options))
  const ask = (route: string, maxBytes: number): Promise<HttpAnswer> =>
    request(new URL(`v1/${route}`, base), maxBytes, options)
  return {
    ...stored,
    async fetchConsistency(from, to, log) {
      const query = new URLSearchParams({
        from: String(from),
        to: String(to),
        ...(log !== undefined && { log }),
      })
      const reply = await ask(`consistency?${query.toString()}`, MAX_PROOF_BYTES)
      return computed(reply, parseConsistency, base, () => stored.fetchConsistency(from, to, log))
    },
    async lookup(query) {
      const reply = await ask(`lookup?${formatQuery(query)}`, MAX_LIST_BYTES)
      return computed(reply, parseLookup, base, () => stored.lookup(query))
    },
    async reportSeen(note) {
      if (utf8Bytes(note).length > MAX_SEEN_BYTES) return
      const init = { method: 'POST', body: note, headers: { 'content-type': 'text/plain' } }
      // Whatever it answers, it was told: that it forked (409) is for the registry to act on.
      await request(new URL('v1/log/seen', base), MAX_SEEN_BYTES, openly(options), init)
    },
  }
}

/** Nobody's report is worth more for who they are. */
function openly({ fetch: send, timeoutMs }: HttpOptions): HttpOptions {
  return { ...(send !== undefined && { fetch: send }), ...(timeoutMs !== undefined && { timeoutMs }) }
}

/** Reads the documents of a registry over HTTP; 404 is a document that is not there. */
function readOver(base: URL, options: HttpOptions): ReadDocument {
  return async (path, maxBytes) => {
    const url = new URL(path, base)
    const reply = await request(url, maxBytes, options)
    return reply.status === 404 ? undefined : (reply.body ?? refuseStatus(reply, url))
  }
}

/** The same for who copies: everything below one address. @throws CountersignError `usage` */
export function readRegistry(url: string, options: RegistryApiOptions = {}): ReadDocument {
  return readOver(parseRegistryUrl(url, options), options)
}

function formatQuery({ package: text, url }: LookupQuery): string {
  return new URLSearchParams({
    ...(text !== undefined && { package: text }),
    ...(url !== undefined && { url }),
  }).toString()
}

/**
 * What a registry computes. A server of files answers such a route with no such file, with the folder of that name, or
 * with a page for people: then the files themselves are asked.
 */
async function computed<T>(
  reply: HttpAnswer,
  parse: (body: Uint8Array) => T,
  base: URL,
  fallback: () => Promise<T>,
): Promise<T> {
  const { status, body } = reply
  const isNoRoute = status === 404 || status === 403 || isRedirect(reply)
  if (body === undefined) return isNoRoute ? fallback() : refuseStatus(reply, base)
  try {
    return parse(body)
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== 'registry-error') throw error
    return fallback()
  }
}

function parseRegistryUrl(text: string, { allowHttp = false, token }: RegistryApiOptions): URL {
  const url = URL.canParse(text) ? new URL(text) : refuse('usage', 'the registry is named by its URL')
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  url.search = ''
  url.hash = ''
  const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  if (url.username !== '' || url.password !== '') refuse('usage', 'a registry URL carries no credentials')
  const isOpen = allowHttp && token === undefined
  if (url.protocol === 'https:' || (url.protocol === 'http:' && (loopback || isOpen))) return url
  return refuse('usage', 'a registry is reached by https; http is for this machine only', { url: url.origin })
}
