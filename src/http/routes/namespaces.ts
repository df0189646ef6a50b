import { isAllowed } from '../../auth/scopes.js'
import { startClaim } from '../../publishers/proofs/challenge.js'
import { checkNamespace } from '../../publishers/proofs/check.js'
import { proveNamespace } from '../../publishers/proofs/claim.js'
import { grantNamespace, readNamespace } from '../../publishers/namespaces.js'
import * as answers from '../answers.js'
import { created, ok } from '../answers.js'
import type { Rooms } from '../rooms.js'
import { jsonBody } from '../body.js'
import { administering, publishing, type AddRoute } from '../route.js'
import * as schemas from '../schemas.js'
import { claimBody, proofBody } from '../schemas/namespaces.js'

/** Namespaces, the proofs behind them, and their keys. */
export function addNamespaceRoutes(add: AddRoute, { context }: Rooms): void {
  addClaimRoutes(add, context)
  const keyEvent = { ...publishing, body: jsonBody(schemas.keyEventBody) }

  add('get', '/v1/namespaces/:ns', { scope: 'registry:publish' }, async ({ params }) =>
    ok(await readNamespace(context, params('ns'))),
  )
  add('post', '/v1/namespaces/:ns/keys', keyEvent, (call) => answers.enrolKey(context, call))
  add('post', '/v1/namespaces/:ns/keys/:kid/revocation', keyEvent, (call) =>
    answers.enrolKey(context, call, call.params('kid')),
  )

  const grant = { ...administering, body: jsonBody(schemas.grantBody) }
  add('put', '/v1/admin/namespaces/:ns', grant, async ({ account, params, body }) =>
    ok(await grantNamespace(context, account, { namespace: params('ns'), account: body.account })),
  )
}

/** From the challenge to the first key, and looking again. */
function addClaimRoutes(add: AddRoute, context: Rooms['context']): void {
  const claiming = { scope: 'registry:publish', limit: 'proofs' } as const
  const check = { scope: ['registry:publish', 'registry:admin'], limit: 'proofs' } as const

  add('post', '/v1/namespaces', { ...claiming, body: jsonBody(claimBody) }, async ({ account, body }) =>
    created(await startClaim(context, account, body)),
  )
  add('post', '/v1/namespaces/:ns/proofs', { ...claiming, body: jsonBody(proofBody) }, async (call) =>
    created(await proveNamespace(context, call.account, { namespace: call.params('ns'), ...call.body })),
  )
  add('post', '/v1/namespaces/:ns/check', check, async ({ principal, account, params }) => {
    const by = { account, isAdmin: isAllowed(principal, 'registry:admin') }
    return ok(await checkNamespace(context, by, params('ns')))
  })
}
