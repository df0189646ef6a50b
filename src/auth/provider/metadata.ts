import { isMetadata, ROUTES } from './paths.js'

/** As far as an answer can be edited before it leaves. */
interface Exchange {
  readonly method: string
  readonly path: string
  url: string
  body: unknown
  readonly status: number
}

type Members = Readonly<Record<string, unknown>>

/** What nobody can do here when people log in elsewhere. */
const OF_LOGINS: readonly string[] = [
  'authorization_endpoint',
  'authorization_response_iss_parameter_supported',
  'code_challenge_methods_supported',
  'response_modes_supported',
  'claims_supported',
  'id_token_signing_alg_values_supported',
  'revocation_endpoint_auth_methods_supported',
]

/** Makes the server's own answers say what is true of this registry, before and after it makes them. */
export function tellTheTruth(hasExternalIssuer: boolean, interval: number) {
  return async (ctx: Exchange, next: () => Promise<unknown>): Promise<void> => {
    // A code in a link could be sent to somebody else: people type the one that their own program shows.
    if (ctx.path === ROUTES.code_verification) ctx.url = ctx.path
    await next()
    const { body, path } = ctx
    if (!isMembers(body) || ctx.status !== 200) return
    if (isMetadata(path)) ctx.body = metadata(body, hasExternalIssuer)
    if (path === ROUTES.device_authorization) ctx.body = deviceAuthorization(body, interval)
  }
}

function isMembers(body: unknown): body is Members {
  return typeof body === 'object' && body !== null && !Buffer.isBuffer(body)
}

function metadata(body: Members, hasExternalIssuer: boolean): Members {
  // The page of another mode would need a script, which no page of ours may run.
  const told = { ...body, response_modes_supported: ['query'] }
  return hasExternalIssuer ? without(told, OF_LOGINS) : told
}

/** RFC 8628 3.2: the interval is said, the link with the code in it is not. */
function deviceAuthorization(body: Members, interval: number): Members {
  return { ...without(body, ['verification_uri_complete']), interval }
}

function without(members: Members, names: readonly string[]): Members {
  return Object.fromEntries(Object.entries(members).filter(([name]) => !names.includes(name)))
}
