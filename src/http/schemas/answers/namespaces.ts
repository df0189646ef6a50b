import { z } from 'zod'
import { account, index, namespace, published, time } from './common.js'

const kind = z.enum(['dns', 'http', 'oidc']).meta({ id: 'ProofKind' })
const keyRole = z.enum(['own', 'sign']).meta({ id: 'KeyRole' })

const proof = z
  .object({
    kind,
    subject: z.string(),
    checkedAt: time,
    suspended: z.boolean(),
    failingSince: time.optional(),
  })
  .meta({ id: 'NamespaceProof' })

const key = z
  .object({
    kid: z.string(),
    x: z.string(),
    roles: z.array(keyRole),
    added: z.partialRecord(keyRole, index),
    revoked: index.optional(),
    invalidFrom: index.optional(),
    reason: z.string().optional(),
    usableAt: time.optional(),
  })
  .meta({ id: 'NamespaceKey' })

const view = {
  namespace,
  account: account.optional(),
  proof: proof.optional(),
  keys: z.array(key),
  last: index.optional().meta({ description: 'What the next key event says as `after`.' }),
}

export const namespaceView = z.object(view).meta({ id: 'Namespace' })

export const checked = z
  .object({ ...view, look: z.enum(['present', 'absent', 'unreachable']), why: z.string().optional() })
  .meta({ id: 'NamespaceCheck' })

export const grant = z.object({ namespace, account }).meta({ id: 'NamespaceGrant' })

export const claimStarted = z
  .object({
    namespace,
    proof: kind,
    account,
    challenge: z.string(),
    audience: z.string().meta({ description: 'What the answer is signed for.' }),
    expires: time,
    records: z.array(
      z.object({ type: z.enum(['TXT', 'https', 'audience']), at: z.string(), value: z.string() }),
    ),
  })
  .meta({ id: 'ClaimStarted' })

export const claimed = z
  .object({ namespace, index, proof: kind, subject: z.string(), published })
  .meta({ id: 'Claimed' })
