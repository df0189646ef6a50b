import { z } from 'zod'
import { PROVIDERS } from '../../auth/trusted-publishing/rules.js'
import { cursor } from '../schemas.js'

// Shapes only; what the claims of each provider must say is decided in the room.

const name = z.string().min(3).max(200)
/** A record drops a member of this name without a word; each claim is a condition, and none may get lost. */
const whole = z.unknown().refine((value) => !Object.hasOwn(Object(value) as object, '__proto__'), {
  message: 'has a name that no claim has',
})
const claims = whole.pipe(z.record(z.string().min(1).max(128), z.string().min(1).max(512)))

export const trustedPublisherBody = z.strictObject({
  namespace: name,
  server: name.optional(),
  provider: z.enum(PROVIDERS),
  issuer: z.string().min(8).max(512).optional(),
  claims,
  account: z.string().min(1).max(64).optional(),
})

export const trustedPublishersQuery = z.strictObject({
  namespace: name.optional(),
  cursor: cursor(z.string().max(96)),
  limit: z.coerce.number().int().min(1).max(100).default(50),
})
