import { CHANGE_CLASSES, CHANGE_KINDS } from 'countersign/change'
import { z } from 'zod'
import { ROLES } from '../../../auth/scopes.js'

// Shapes of answers, each with the name it has in the description of the API. They are open: members may be added.

export const digest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/)
  .meta({ id: 'Digest', description: 'SHA-256 of the bytes it names.' })
export const index = z
  .int()
  .min(0)
  .meta({ id: 'LogIndex', description: 'Place in the log, counted through every log of this registry.' })
export const time = z.iso.datetime().meta({
  id: 'Time',
  description: "UTC, by the registry's own clock: for people, never a reason to allow.",
})
export const cursor = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,400}$/)
  .optional()
  .meta({ description: 'Opaque; where the next page starts. Absent on the last page.' })
export const namespace = z.string().meta({ description: 'Reverse DNS, such as com.example.' })
export const server = z.string().meta({ description: 'NAMESPACE/NAME.' })
export const account = z.string().meta({ description: 'Opaque name of an account.' })
export const role = z.enum(ROLES as [string, ...string[]]).meta({ id: 'Role' })
export const manifestRole = z.enum(['publisher', 'voucher']).meta({
  id: 'ManifestRole',
  description: "Whether who signed speaks for their own server, or vouches for somebody else's.",
})
export const status = z
  .enum(['pending', 'approved', 'rejected', 'withdrawn', 'deprecated', 'revoked'])
  .meta({ id: 'ManifestStatus' })

export const finding = z
  .object({
    rule: z.string(),
    severity: z.enum(['info', 'low', 'medium', 'high']),
    held: z.boolean(),
    refuse: z.boolean(),
    pointer: z.string().meta({ description: 'RFC 6901, into the manifest.' }),
    message: z.string(),
    shown: z.string().optional(),
  })
  .meta({ id: 'Finding', description: 'What a rule saw in a manifest.' })

const changeClass = z.enum(CHANGE_CLASSES).meta({ id: 'ChangeClass' })
export const reviewClass = z.enum(['first', ...CHANGE_CLASSES]).meta({ id: 'ReviewClass' })
export const change = z
  .object({
    pointer: z.string(),
    item: z.string(),
    kind: z.enum(CHANGE_KINDS),
    class: changeClass,
    before: z.string().optional(),
    after: z.string().optional(),
    text: z.string(),
  })
  .meta({ id: 'Change', description: 'One change between two versions, and what it means.' })

export const comparison = { class: changeClass, changes: z.array(change), more: z.int().min(0) }

/** Accepted into the log; `published: false` while the witnesses' quorum is not there (202). */
export const published = z
  .literal(false)
  .optional()
  .meta({ description: 'Only with 202: logged, and not under a published checkpoint yet. See Location.' })

export const logged = z
  .object({ index, published })
  .meta({ id: 'Logged', description: 'Where it stands in the log.' })
