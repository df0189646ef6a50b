import { z } from 'zod'
import { CHECK_NAMES, type CheckName } from '../../../review/checks.js'
import { admissionPolicy } from '../review.js'
import { document } from './catalogue.js'
import {
  account,
  change,
  cursor,
  digest,
  finding,
  index,
  manifestRole,
  reviewClass,
  server,
  status,
  time,
} from './common.js'

const signatures = z.object({ given: z.int().min(0), needed: z.int().min(1) })

const item = {
  manifest: digest,
  server,
  version: z.string(),
  role: manifestRole,
  status,
  account,
  submittedAt: time,
  index,
  findings: z.array(finding),
  class: reviewClass.optional().meta({ description: 'Of its change, when it was submitted.' }),
}
export const reviewList = z
  .object({ items: z.array(z.object(item).meta({ id: 'ReviewItem' })), cursor })
  .meta({ id: 'ReviewList' })

export const comment = z.object({ account, at: time, text: z.string() }).meta({ id: 'Comment' })

const vote = z
  .object({
    account,
    at: time,
    override: z.string().optional(),
    comment: z.string().optional(),
    reason: z.string().optional(),
  })
  .meta({ id: 'Vote' })

const check = z.object({
  check: z.enum(CHECK_NAMES as [CheckName, ...CheckName[]]),
  holds: z.boolean(),
  why: z.string().optional(),
})

const needs = z
  .object({
    approvals: z.int().min(1).meta({ description: 'Distinct persons.' }),
    class: reviewClass,
    sensitive: z.boolean(),
    checks: z.array(check),
    held: z.array(z.string()).meta({ description: 'Rules whose findings hold it.' }),
    heldFindings: z.enum(['override', 'never']),
    signatures: signatures.optional(),
  })
  .meta({ id: 'Needs', description: 'What the policy asks for before this manifest is approved.' })

export const reviewDetail = z
  .object({
    ...item,
    document,
    envelope: z.string(),
    last: index.meta({ description: 'What a decision says as `after`.' }),
    change: z.object({
      class: reviewClass,
      base: digest.optional(),
      changes: z.array(change),
      more: z.int().min(0),
    }),
    needs,
    votes: z.array(vote),
    draft: z.string().optional().meta({ description: 'What approvers sign, as canonical JSON.' }),
    comments: z.array(comment),
  })
  .meta({ id: 'ReviewDetail' })

export const tally = z
  .object({
    after: index,
    votes: z.int().min(0),
    needed: z.int().min(1),
    draft: z.string().optional(),
    signatures: signatures.optional(),
  })
  .meta({ id: 'Tally', description: 'Kept until enough persons and signatures are there.' })

const inForce = { version: z.int().min(1), digest, policy: admissionPolicy }

export const policyInForce = z.object(inForce).meta({ id: 'PolicyInForce' })
export const policyView = z
  .object({
    ...inForce,
    history: z.array(z.object({ version: z.int().min(1), digest, by: account, at: time })),
  })
  .meta({ id: 'PolicyView', description: 'The policy in force, and the latest versions, newest first.' })

const record = z
  .object({
    id: z.int().min(1),
    at: z.number().meta({ description: 'Milliseconds.' }),
    account,
    action: z.string(),
    target: z.string(),
    detail: z.string().meta({ description: 'JSON.' }),
    index: index.optional(),
  })
  .meta({ id: 'AuditRecord' })
export const audit = z.object({ records: z.array(record), cursor }).meta({ id: 'Audit' })
