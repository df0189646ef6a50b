import { z } from 'zod'

// Strict everywhere: an unknown member is a misunderstanding that should be heard.

const namespace = z.string().min(3).max(198)
/** A public key, base64url of its 32 bytes. */
const x = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const challenge = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const event = z.string().min(1).max(8192)
const signature = z
  .string()
  .max(512)
  .regex(/^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+$/)
const token = z
  .string()
  .max(16_384)
  .regex(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/)

export const claimBody = z.strictObject({
  namespace,
  proof: z.enum(['dns', 'http', 'oidc']),
  x: x.optional(),
})
export const proofBody = z.strictObject({
  challenge,
  event,
  signature: signature.optional(),
  token: token.optional(),
})
