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
import { logged } from '../schemas/answers/common.js'
import * as shapes from '../schemas/answers/namespaces.js'
import { claimBody, proofBody } from '../schemas/namespaces.js'

const KEY_CODES = [
  ...['event-invalid', 'name-invalid', 'key-invalid', 'signature-invalid', 'signature-malformed'],
  ...['registry-mismatch', 'namespace-mismatch', 'namespace-not-granted', 'namespace-unknown'],
  ...['namespace-taken', 'namespace-suspended', 'key-unknown', 'key-inactive', 'key-taken', 'key-waiting'],
  ...['after-outdated', 'event-too-large'],
] as const
const PROOF_CODES = ['challenge-invalid', 'proof-kind', 'proof-failed', 'proof-unreachable'] as const

/** Namespaces, the proofs behind them, and their keys. */
export function addNamespaceRoutes(add: AddRoute, { context }: Rooms): void {
  addClaimRoutes(add, context)
  const keyEvent = (summary: string) => ({
    ...publishing,
    body: jsonBody(schemas.keyEventBody),
    doc: { summary, answers: { 201: logged }, codes: KEY_CODES },
  })
  const showing = {
    scope: 'registry:publish',
    doc: {
      summary: 'A namespace with its keys and what proves it',
      answers: { 200: shapes.namespaceView },
      codes: ['name-invalid'],
    },
  } as const

  add('get', '/v1/namespaces/:ns', showing, async ({ params }) =>
    ok(await readNamespace(context, params('ns'))),
  )
  add('post', '/v1/namespaces/:ns/keys', keyEvent('Enrol a key'), (call) => answers.enrolKey(context, call))
  add('post', '/v1/namespaces/:ns/keys/:kid/revocation', keyEvent('Revoke a key'), (call) =>
    answers.enrolKey(context, call, call.params('kid')),
  )

  const grant = {
    ...administering,
    body: jsonBody(schemas.grantBody),
    doc: {
      summary: 'Let an account act for a namespace',
      answers: { 200: shapes.grant },
      codes: ['name-invalid', 'account-unknown', 'namespace-taken', 'proof-kind'],
    },
  }
  add('put', '/v1/admin/namespaces/:ns', grant, async ({ account, params, body }) =>
    ok(await grantNamespace(context, account, { namespace: params('ns'), account: body.account })),
  )
}

/** From the challenge to the first key, and looking again. */
function addClaimRoutes(add: AddRoute, context: Rooms['context']): void {
  const claim = {
    scope: 'registry:publish',
    limit: 'proofs',
    body: jsonBody(claimBody),
    doc: {
      summary: 'Begin a claim: a challenge, and what to put where',
      answers: { 201: shapes.claimStarted },
      codes: ['name-invalid', 'namespace-taken', 'proof-kind', 'key-invalid', 'base64-invalid'],
    },
  } as const
  const prove = {
    scope: 'registry:publish',
    limit: 'proofs',
    body: jsonBody(proofBody),
    doc: {
      summary: 'Answer the challenge: the first key of the namespace is logged',
      answers: { 201: shapes.claimed },
      codes: [...KEY_CODES, ...PROOF_CODES],
    },
  } as const
  const check = {
    scope: ['registry:publish', 'registry:admin'],
    limit: 'proofs',
    doc: {
      summary: 'Look again now at what proves the namespace',
      answers: { 200: shapes.checked },
      codes: ['name-invalid', 'namespace-not-granted', 'proof-kind', 'proof-unreachable'],
    },
  } as const

  add('post', '/v1/namespaces', claim, async ({ account, body }) =>
    created(await startClaim(context, account, body)),
  )
  add('post', '/v1/namespaces/:ns/proofs', prove, async (call) =>
    created(await proveNamespace(context, call.account, { namespace: call.params('ns'), ...call.body })),
  )
  add('post', '/v1/namespaces/:ns/check', check, async ({ principal, account, params }) => {
    const by = { account, isAdmin: isAllowed(principal, 'registry:admin') }
    return ok(await checkNamespace(context, by, params('ns')))
  })
}
