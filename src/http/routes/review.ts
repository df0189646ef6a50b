import { parseDigest, type Digest } from 'countersign/core'
import { z } from 'zod'
import { readDifference } from '../../publish/diff.js'
import { approve, signApproval } from '../../review/approve.js'
import { comment } from '../../review/comments.js'
import { deprecate, reject, withdraw } from '../../review/decide.js'
import type { Target } from '../../review/lines.js'
import type { Outcome } from '../../review/motion.js'
import { setPolicy, showPolicy } from '../../review/policy.js'
import { listReview, readReview } from '../../review/queue.js'
import { reinstate, signReinstatement } from '../../review/reinstate.js'
import { revoke } from '../../review/revoke.js'
import { created, cursorTo, ok, serverOf } from '../answers.js'
import type { Rooms } from '../rooms.js'
import { jsonBody } from '../body.js'
import { administering, reviewing, type AddRoute, type Answer, type Call } from '../route.js'
import { difference } from '../schemas/answers/catalogue.js'
import { logged } from '../schemas/answers/common.js'
import * as shapes from '../schemas/answers/review.js'
import * as schemas from '../schemas/review.js'

type Params = Pick<Call<unknown, unknown>, 'params'>

/** Reviewers, and owners of what it is about. */
const reviewingOrOwning = { scope: ['registry:review', 'registry:publish'], limit: 'writes' } as const
const owning = { scope: 'registry:publish', limit: 'writes' } as const

const digestOf = ({ params }: Params): Digest => parseDigest(params('digest'))

/** What can be revoked and reinstated, each with its address. */
const TARGETS: readonly [path: string, of: (call: Params) => Target][] = [
  ['/v1/manifests/:digest', (call) => ({ target: 'manifest', digest: digestOf(call) })],
  ['/v1/tools/:digest', (call) => ({ target: 'tool', digest: digestOf(call) })],
  ['/v1/servers/:ns/:name', (call) => ({ target: 'server', name: serverOf(call) })],
]

const MANIFEST = ['digest-invalid', 'manifest-unknown'] as const
const DECIDING = [
  ...['digest-invalid', 'name-invalid', 'manifest-unknown', 'target-unknown', 'own-work'],
  ...['decider-not-allowed', 'namespace-not-granted', 'after-outdated', 'manifest-status', 'event-too-large'],
] as const
const VOTING = [...DECIDING, ...['finding-held', 'check-failed', 'base-outdated', 'policy-invalid']] as const
const SIGNING = [...VOTING, 'signature-unwanted', 'signature-invalid', 'signature-malformed'] as const
/** Decided by one: logged. */
const decided = (summary: string) => ({ summary, answers: { 201: logged }, codes: DECIDING })
/** Decided by several: logged, or kept until enough of them are there. */
const voted = (summary: string, codes: readonly string[] = VOTING) => ({
  summary,
  answers: { 201: logged, 202: z.union([shapes.tally, logged]) },
  codes,
})

/** The queue, decisions about what is in it or was approved, and the policy they are made under. */
export function addReviewRoutes(add: AddRoute, rooms: Rooms): void {
  addQueue(add, rooms)
  addApprovals(add, rooms)
  addDenials(add, rooms)
  addReinstatements(add, rooms)
  addPolicy(add, rooms)
}

function addQueue(add: AddRoute, { context }: Rooms): void {
  const queue = {
    scope: 'registry:review',
    query: schemas.reviewQuery,
    doc: { summary: 'What waits for review, or has another status', answers: { 200: shapes.reviewList } },
  } as const
  const showing = {
    scope: 'registry:review',
    doc: {
      summary: 'Everything a reviewer decides from',
      answers: { 200: shapes.reviewDetail },
      codes: MANIFEST,
    },
  } as const
  add('get', '/v1/review', queue, async ({ query }) => {
    const { items, next } = await listReview(context, { ...query, after: query.cursor })
    return ok({ items, ...cursorTo(next) })
  })
  add('get', '/v1/review/:digest', showing, async (call) => ok(await readReview(context, digestOf(call))))
  const commenting = {
    ...reviewing,
    body: jsonBody(schemas.commentBody),
    doc: { summary: 'A word between reviewers', answers: { 201: shapes.comment }, codes: MANIFEST },
  }
  add('post', '/v1/review/:digest/comments', commenting, async (call) =>
    created(await comment(context, call.account, digestOf(call), call.body.text)),
  )
  const comparing = {
    query: schemas.diffQuery,
    limit: 'large',
    doc: {
      summary: 'What a version changes against another one',
      answers: { 200: difference },
      codes: ['name-invalid', 'version-invalid', 'target-unknown', 'out-of-range'],
    },
  } as const
  add('get', '/v1/servers/:ns/:name/diff', comparing, async (call) =>
    ok(await readDifference(context, serverOf(call), call.query, await call.viewer())),
  )
}

function addApprovals(add: AddRoute, { context, reads }: Rooms): void {
  const voting = { ...reviewing, body: jsonBody(schemas.approvalBody), doc: voted('Vote to approve') }
  const signing = {
    ...reviewing,
    body: jsonBody(schemas.signatureBody),
    doc: voted("An approver's signature under an approval", SIGNING),
  }
  const rejecting = { ...reviewing, body: jsonBody(schemas.decisionBody), doc: decided('Reject') }
  add('post', '/v1/review/:digest/approval', voting, async (call) => {
    const outcome = await approve(context, call.account, digestOf(call), call.body)
    reads.forget(digestOf(call))
    return answerOf(outcome)
  })
  add('post', '/v1/review/:digest/signatures', signing, async (call) => {
    const outcome = await signApproval(context, call.account, digestOf(call), call.body.signature)
    reads.forget(digestOf(call))
    return answerOf(outcome)
  })
  add('post', '/v1/review/:digest/rejection', rejecting, async (call) =>
    created(await reject(context, call.account, digestOf(call), call.body)),
  )
}

function addDenials(add: AddRoute, { context }: Rooms): void {
  const body = jsonBody(schemas.denialBody)
  const withdrawing = { ...owning, body, doc: decided('Take back what still waits') }
  add('post', '/v1/manifests/:digest/withdrawal', withdrawing, async (call) =>
    created(await withdraw(context, call.principal, digestOf(call), call.body)),
  )
  const deprecating = { ...reviewingOrOwning, body, doc: decided('Advise against an approved version') }
  add('post', '/v1/manifests/:digest/deprecation', deprecating, async (call) =>
    created(await deprecate(context, call.principal, digestOf(call), call.body)),
  )
  const revoking = { ...reviewingOrOwning, body, doc: decided('Revoke at once') }
  for (const [path, targetOf] of TARGETS) {
    add('post', `${path}/revocation`, revoking, async (call) =>
      created(await revoke(context, call.principal, targetOf(call), call.body)),
    )
  }
}

function addReinstatements(add: AddRoute, { context }: Rooms): void {
  const voting = {
    ...reviewing,
    body: jsonBody(schemas.decisionBody),
    doc: voted('Vote to take a revocation back'),
  }
  const signing = {
    ...reviewing,
    body: jsonBody(schemas.signatureBody),
    doc: voted("An approver's signature under a reinstatement", SIGNING),
  }
  for (const [path, targetOf] of TARGETS) {
    add('post', `${path}/reinstatement`, voting, async (call) =>
      answerOf(await reinstate(context, call.account, targetOf(call), call.body)),
    )
    add('post', `${path}/reinstatement/signatures`, signing, async (call) =>
      answerOf(await signReinstatement(context, call.account, targetOf(call), call.body.signature)),
    )
  }
}

/** Logged, or kept until enough of them are there. */
function answerOf(outcome: Outcome): Answer {
  return 'index' in outcome ? created(outcome) : { status: 202, body: outcome.tally }
}

function addPolicy(add: AddRoute, { context }: Rooms): void {
  const reading = {
    scope: ['registry:admin', 'registry:review'],
    doc: {
      summary: 'The admission policy in force',
      answers: { 200: shapes.policyView },
      codes: ['policy-invalid'],
    },
  } as const
  add('get', '/v1/policy', reading, async () => ok(await showPolicy(context)))
  const setting = {
    ...administering,
    body: jsonBody(schemas.policyBody),
    doc: {
      summary: 'Put another admission policy in force',
      answers: { 200: shapes.policyInForce },
      codes: ['policy-invalid', 'policy-outdated'],
    },
  }
  add('put', '/v1/policy', setting, async ({ account, body }) => ok(await setPolicy(context, account, body)))

  const trail = {
    scope: 'registry:audit',
    query: schemas.auditQuery,
    doc: { summary: 'Who did what, newest first', answers: { 200: shapes.audit } },
  } as const
  add('get', '/v1/audit', trail, async ({ query }) => {
    const { limit, cursor, ...filter } = query
    const records = await context.store.readAudit(limit, cursor, filter)
    const next = records.length === limit ? records.at(-1)?.id : undefined
    return ok({ records, ...cursorTo(next) })
  })
}
