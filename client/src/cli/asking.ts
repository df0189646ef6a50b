import { deliverWith } from './call.js'
import type { Context } from './context.js'
import { fileKeeper } from './login/credentials.js'
import { openTokens, type Access } from './login/token.js'

/** A read with this person's token. */
export type Ask = (url: URL, init: RequestInit | undefined) => Promise<Response>

/**
 * Reads of a registry that knows this person.
 * @throws CountersignError (from each) `not-logged-in`, `registry-refused` when the login is over, `registry-unreachable`,
 *   `usage` over plain HTTP
 */
export function openAsking(context: Context, registry: string): Ask {
  const tokens = openTokens(context, registry, fileKeeper(context, registry))
  return async (url, init) => {
    const access = await tokens.current()
    const response = await read(access, url, init)
    if (response.status !== 401) return response
    await response.body?.cancel()
    // A kept token may be of a key that the registry no longer has: a fresh one settles it.
    return await read(await tokens.another(access.token), url, init)
  }
}

/** The request as it was meant, its limits included; a redirect is an answer that nobody follows. */
function read(access: Access, url: URL, init: RequestInit = {}): Promise<Response> {
  const headers = Object.fromEntries(new Headers(init.headers))
  return deliverWith(access, url, { method: 'GET', headers }, (to, sent) =>
    fetch(to, { ...init, ...sent, redirect: init.redirect ?? 'manual' }),
  )
}
