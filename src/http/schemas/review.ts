import { isDigest, type Digest } from 'countersign/core'
import { z } from 'zod'
import { CHECK_NAMES, type CheckName } from '../../review/checks.js'
import { POLICY_FORMAT, type AdmissionPolicy } from '../../review/policy.js'
import type { ManifestStatus } from '../../storage/store.js'
import { cursor } from '../schemas.js'

const index = z.int().min(0)
// What breaks a line, turns the direction of what stands around it, or is half a character.
const UNSEEN = String.raw`\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069`
const line = z
  .string()
  .min(1)
  .max(512)
  .regex(new RegExp(`^[^${UNSEEN}]+$`, 'u'))

export const approvalBody = z.strictObject({
  after: index,
  override: line.optional(),
  comment: line.optional(),
})
/** Of grants and of what may be reconsidered: the decider says what they knew. */
export const decisionBody = z.strictObject({ after: index, reason: line })
/** Of denials, which need less than grants. */
export const denialBody = z.strictObject({ after: index.optional(), reason: line })
/** A detached JWS. */
export const signatureBody = z.strictObject({
  signature: z
    .string()
    .max(512)
    .regex(/^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+$/),
})
/** Several lines of text without other control characters. */
export const commentBody = z.strictObject({
  text: z
    .string()
    .min(1)
    .max(4000)
    .regex(new RegExp(`^[^${UNSEEN}]*(?:\\n[^${UNSEEN}]*)*$`, 'u'))
    .refine((text) => text.trim() !== ''),
})

const approvals = z.int().min(0).max(5)
export const admissionPolicy: z.ZodType<AdmissionPolicy> = z
  .strictObject({
    format: z.literal(POLICY_FORMAT),
    approvals: z.strictObject({
      first: approvals,
      none: approvals,
      cosmetic: approvals,
      narrowed: approvals,
      text: approvals,
      widened: approvals,
      dangerous: approvals,
    }),
    sensitive: z.strictObject({
      servers: distinct(z.string().regex(/^[a-zA-Z0-9.-]{3,190}\/(?:\*|[a-zA-Z0-9._-]{1,190})$/), 256),
      destructive: z.boolean(),
      scopes: distinct(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/), 256),
      approvals,
    }),
    autoApprove: distinct(z.enum(['none', 'cosmetic']), 2),
    requiredChecks: distinct(z.enum(CHECK_NAMES as [CheckName, ...CheckName[]]), CHECK_NAMES.length),
    heldFindings: z.enum(['override', 'never']),
  })
  .meta({ id: 'AdmissionPolicy' })
/** `after`: the version that the editor read. */
export const policyBody = z.strictObject({ after: index, policy: admissionPolicy })

const limit = z.coerce.number().int().min(1).max(100).default(50)
const STATUSES = [
  'pending',
  'approved',
  'rejected',
  'withdrawn',
  'deprecated',
  'revoked',
] as const satisfies ManifestStatus[]

export const reviewQuery = z.strictObject({
  status: z.enum(STATUSES).default('pending'),
  cursor: cursor(z.custom<Digest>(isDigest)),
  limit,
})
const filter = z.string().min(1).max(256).optional()
export const auditQuery = z.strictObject({
  cursor: cursor(z.coerce.number().int().min(0)),
  limit,
  account: filter,
  action: filter,
  target: filter,
})
const version = z.string().min(1).max(255)
export const diffQuery = z.strictObject({ from: version, to: version })

function distinct<T extends string>(item: z.ZodType<T>, max: number): z.ZodType<T[]> {
  return z
    .array(item)
    .max(max)
    .refine((items) => new Set(items).size === items.length)
}
