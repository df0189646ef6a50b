import { listServers, lookup } from '../../publish/catalogue.js'
import * as answers from '../answers.js'
import { cursorTo, ok } from '../answers.js'
import type { Rooms } from '../rooms.js'
import { jsonBody } from '../body.js'
import type { AddRoute } from '../route.js'
import * as schemas from '../schemas.js'

/** What anyone may read; owners and reviewers see what waits, too. And the one trade of the one-time password. */
export function addOpenRoutes(add: AddRoute, { context, auth, publicUrl, external }: Rooms): void {
  add('get', '/.well-known/oauth-protected-resource', {}, () =>
    ok(answers.resourceMetadata(publicUrl, external)),
  )

  const bootstrap = { limit: 'bootstrap', body: jsonBody(schemas.bootstrapBody) } as const
  add('post', '/v1/bootstrap', bootstrap, async ({ body }) =>
    answers.showClient(context, body.account, await auth.bootstrap(body)),
  )

  add('get', '/v1/servers', { query: schemas.serversQuery }, async ({ query }) => {
    const { servers, next } = await listServers(context, { ...query, after: query.cursor })
    return ok({ servers, ...cursorTo(next) })
  })
  add('get', '/v1/servers/:ns/:name', {}, (call) => answers.showServer(context, call))
  add('get', '/v1/servers/:ns/:name/versions', {}, (call) => answers.showServer(context, call))
  add('get', '/v1/servers/:ns/:name/versions/:version', {}, (call) => answers.showVersion(context, call))
  add('get', '/v1/manifests/:digest', {}, (call) => answers.showManifest(context, call))
  add('get', '/v1/lookup', { query: schemas.lookupQuery }, async ({ query }) =>
    ok({ servers: await lookup(context, query) }),
  )
}
