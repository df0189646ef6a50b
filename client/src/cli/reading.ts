import { refuse } from '../core/index.js'
import { openRegistryApi } from '../node/registry-files.js'
import type { RegistryApi, RegistryApiOptions } from '../registry-api.js'
import type { Ask } from './asking.js'
import { normalUrl, type Context } from './context.js'
import { readSecret } from './files.js'
import { fileKeeper } from './login/credentials.js'

/**
 * `fetch` for the reads of one registry: without a token until the registry asks for one, then with this person's login
 * there. A login is sent to the registry that it is for and to nothing else, whatever a document says.
 * @throws CountersignError (from each request) `not-logged-in`, and what asking for a token throws
 */
export function openReading(context: Context, registry: string): typeof fetch {
  const home = normalUrl(registry)
  let asking: Promise<Ask> | undefined
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    const isOurs = `${url.origin}${url.pathname}`.startsWith(`${home}/`)
    if (!isOurs || (init?.method ?? 'GET') !== 'GET') return await fetch(input, init)
    if (asking === undefined) {
      const response = await fetch(input, init)
      if (response.status !== 401) return response
      await response.body?.cancel()
      if (fileKeeper(context, home).read() === undefined) {
        refuse('not-logged-in', `${home} is read by whom it knows`, { registry: home })
      }
    }
    // What knows of logins is loaded by whoever needs one: a guard starts with every server.
    asking ??= import('./asking.js').then(({ openAsking }) => openAsking(context, home))
    return await (
      await asking
    )(url, init)
  }
}

/** The registry as this person reads it. @throws CountersignError `usage` */
export function openReadApi(
  context: Context,
  registry: string,
  options: RegistryApiOptions = {},
): RegistryApi {
  // A token that was handed over is the only one that is sent.
  const send = options.token === undefined ? { fetch: openReading(context, registry) } : {}
  return openRegistryApi(registry, { ...send, ...options })
}

/** Tokens of some issuers name every group that somebody is in; with a line feed. */
const MAX_TOKEN_BYTES = 16 * 1024 + 2

/**
 * An access token out of a file that somebody else keeps fresh: it is read for every request.
 * @throws CountersignError `usage`, `io` at once when there is none
 */
export function tokenFrom(file: string): () => Promise<string> {
  if (file === '-') refuse('usage', 'a token is read again and again: name a file')
  const read = (): string => readSecret(file, MAX_TOKEN_BYTES)
  read()
  return () => Promise.resolve().then(read)
}
