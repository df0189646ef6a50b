import { parseDigest, type Digest } from 'countersign/core'
import type { Auth } from '../auth/auth.js'
import { createClientFor } from '../auth/clients.js'
import { listServers, lookup } from '../publish/catalogue.js'
import { openNames } from '../publish/names.js'
import { publish } from '../publish/publish.js'
import type { Context } from '../publishers/context.js'
import { grantNamespace, readNamespace } from '../publishers/namespaces.js'
import { approve } from '../review/approve.js'
import { reject, revoke } from '../review/decide.js'
import { listReview, readReview } from '../review/queue.js'
import * as answers from './answers.js'
import { created, cursorTo, ok, serverOf } from './answers.js'
import { envelopeBody, jsonBody } from './body.js'
import type { AddRoute, Call } from './route.js'
import * as schemas from './schemas.js'
import type { StaticReads } from './static.js'

export interface Rooms {
  readonly context: Context
  readonly auth: Auth
  readonly publicUrl: string
  readonly reads: StaticReads
}

/** Scopes of the routes that write, and the limit they share. */
const publishing = { scope: 'registry:publish', limit: 'writes' } as const
const reviewing = { scope: 'registry:review', limit: 'writes' } as const
const administering = { scope: 'registry:admin', limit: 'writes' } as const

const keyEvent = { ...publishing, body: jsonBody(schemas.keyEventBody) }
const approval = { ...reviewing, body: jsonBody(schemas.approvalBody) }
const rejection = { ...reviewing, body: jsonBody(schemas.rejectionBody) }
const revocation = { ...reviewing, body: jsonBody(schemas.revocationBody) }

const digestOf = ({ params }: Pick<Call<unknown, unknown>, 'params'>): Digest => parseDigest(params('digest'))

/**
 * THE INDEX OF THE API: who may call what, with which body, and the room that answers. Immutable documents,
 * the status and the log's tiles are in static.ts; tokens are the authorization server's.
 */
export function addRoutes(add: AddRoute, rooms: Rooms): void {
  addOpenRoutes(add, rooms)
  addPublisherRoutes(add, rooms)
  addReviewerRoutes(add, rooms)
  addAdminRoutes(add, rooms)
}

/**
 * What anyone may read; owners and reviewers see what waits, too. And the one trade of the one-time password.
 */
function addOpenRoutes(add: AddRoute, { context, auth, publicUrl }: Rooms): void {
  add('get', '/.well-known/oauth-protected-resource', {}, () => ok(answers.resourceMetadata(publicUrl)))

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

/** Namespaces, their keys, and manifests. */
function addPublisherRoutes(add: AddRoute, { context }: Rooms): void {
  const publishContext = { ...context, names: openNames(context.store) }

  add('get', '/v1/namespaces/:ns', { scope: 'registry:publish' }, async ({ params }) =>
    ok(await readNamespace(context, params('ns'))),
  )
  add('post', '/v1/namespaces/:ns/keys', keyEvent, (call) => answers.enrolKey(context, call))
  add('post', '/v1/namespaces/:ns/keys/:kid/revocation', keyEvent, (call) =>
    answers.enrolKey(context, call, call.params('kid')),
  )
  add('post', '/v1/manifests', { ...publishing, body: envelopeBody }, async ({ account, body }) => {
    const { created: isNew, ...published } = await publish(publishContext, account, body)
    return isNew ? created(published) : ok(published)
  })
}

/** The queue, and decisions about what is in it or was approved. */
function addReviewerRoutes(add: AddRoute, { context, reads }: Rooms): void {
  add('get', '/v1/review', { scope: 'registry:review', query: schemas.reviewQuery }, async ({ query }) => {
    const { items, next } = await listReview(context, { ...query, after: query.cursor })
    return ok({ items, ...cursorTo(next) })
  })
  add('get', '/v1/review/:digest', { scope: 'registry:review' }, async (call) =>
    ok(await readReview(context, digestOf(call))),
  )
  add('post', '/v1/review/:digest/approval', approval, async (call) => {
    const approved = await approve(context, call.account, digestOf(call), call.body)
    reads.forget(digestOf(call))
    return created(approved)
  })
  add('post', '/v1/review/:digest/rejection', rejection, async (call) =>
    created(await reject(context, call.account, digestOf(call), call.body)),
  )
  add('post', '/v1/manifests/:digest/revocation', revocation, async (call) =>
    created(await revoke(context, call.account, { target: 'manifest', digest: digestOf(call) }, call.body)),
  )
  add('post', '/v1/tools/:digest/revocation', revocation, async (call) =>
    created(await revoke(context, call.account, { target: 'tool', digest: digestOf(call) }, call.body)),
  )
  add('post', '/v1/servers/:ns/:name/revocation', revocation, async (call) =>
    created(await revoke(context, call.account, { target: 'server', name: serverOf(call) }, call.body)),
  )
}

function addAdminRoutes(add: AddRoute, { context }: Rooms): void {
  add('get', '/v1/audit', { scope: 'registry:audit', query: schemas.auditQuery }, async ({ query }) => {
    const records = await context.store.readAudit(query.limit, query.cursor)
    const next = records.length === query.limit ? records.at(-1)?.id : undefined
    return ok({ records, ...cursorTo(next) })
  })

  const grant = { ...administering, body: jsonBody(schemas.grantBody) }
  add('put', '/v1/admin/namespaces/:ns', grant, async ({ account, params, body }) =>
    ok(await grantNamespace(context, account, { namespace: params('ns'), account: body.account })),
  )

  const client = { ...administering, body: jsonBody(schemas.clientBody) }
  add('post', '/v1/admin/clients', client, async ({ account, body }) =>
    answers.showClient(context, account, await createClientFor(context.store, body)),
  )
}
