import { CountersignError } from '../../core/index.js'
import { registryUrl, type Context } from '../context.js'
import type { Credentials } from './credentials-shape.js'
import { fileKeeper } from './credentials.js'
import { Ended, EXIT } from '../failures.js'
import { discoverIssuer } from './oauth/discovery.js'
import { revokeToken } from './oauth/grants.js'
import { shellWord } from '../escape.js'
import { dim, yellow, type Line } from '../output.js'

/** How the registry's side of a logout ended. */
type Outcome =
  | { readonly revoked: true }
  /** There was nothing that could be revoked. */
  | { readonly revoked: null }
  | { readonly revoked: false; readonly why: string }

/** `countersign logout`: ends the login at the server, forgets it here whatever the server says, and tells if it failed. */
export async function logout(context: Context): Promise<void> {
  const registry = registryUrl(context)
  let ended: { credentials: Credentials; outcome: Outcome } | undefined
  // Under the lock: another process that renews meanwhile would keep a login that was just ended.
  await fileKeeper(context, registry).change(async (credentials) => {
    if (credentials !== undefined)
      ended = { credentials, outcome: await revoke(context, registry, credentials) }
    return undefined
  })
  const outcome: Outcome = ended?.outcome ?? { revoked: null }
  context.out.result({ registry, forgotten: ended !== undefined, ...outcome }, [
    ended === undefined ? `not logged in to ${registry}` : `logged out of ${registry}`,
    ...(ended === undefined ? [] : outcomeLines(ended.credentials, outcome)),
  ])
  if (outcome.revoked === false) throw new Ended(EXIT.failed)
}

async function revoke(context: Context, registry: string, credentials: Credentials): Promise<Outcome> {
  if (credentials.kind !== 'refresh') return { revoked: null }
  try {
    const server = await discoverIssuer(credentials.issuer ?? registry, context.signal)
    if (server.revocation_endpoint === undefined) return { revoked: false, why: 'it has no revocation' }
    const resource = credentials.resource ?? registry
    const party = { server, resource, scopes: [], signal: context.signal }
    await revokeToken(party, credentials, credentials.refreshToken)
    return { revoked: true }
  } catch (error) {
    if (error instanceof CountersignError) return { revoked: false, why: error.message }
    throw error
  }
}

function outcomeLines({ kind, clientId }: Credentials, outcome: Outcome): Line[] {
  if (outcome.revoked === false) {
    return [
      [yellow('not revoked at the server: '), outcome.why],
      'The login there ends by itself, or when an admin runs `countersign admin accounts sign-out`.',
    ]
  }
  if (kind !== 'secret' && kind !== 'key') return []
  return [
    [
      dim(
        `client ${clientId} itself stays; an admin ends it: countersign admin client disable ${shellWord(clientId)}`,
      ),
    ],
  ]
}
