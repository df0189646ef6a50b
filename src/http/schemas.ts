import { isDigest, type Digest } from 'countersign/core'
import { z } from 'zod'

// Strict everywhere: an unknown member is a misunderstanding that should be heard.

const account = z.string().min(1).max(64)

export const bootstrapBody = z.strictObject({ account, password: z.string().min(1).max(256) })
export const grantBody = z.strictObject({ account })
export const keyEventBody = z.strictObject({ event: z.string().min(1).max(8192) })

const limit = z.coerce.number().int().min(1).max(100).default(50)
export const serversQuery = z.strictObject({
  search: z.string().min(1).max(200).optional(),
  cursor: cursor(z.string().min(3).max(200)),
  limit,
})
export const toolQuery = z.strictObject({ cursor: cursor(z.custom<Digest>(isDigest)), limit })
export const lookupQuery = z.union([
  z.strictObject({ package: z.string().min(3).max(512) }),
  z.strictObject({ url: z.string().min(8).max(2048) }),
])

/** Opaque to callers: base64url of where the last page ended. */
export function formatCursor(value: string | number): string {
  return Buffer.from(String(value)).toString('base64url')
}

/** Opaque to callers: base64url of a value of this kind. */
export function cursor<T extends z.ZodType>(inner: T) {
  return z
    .string()
    .max(400)
    .regex(/^[A-Za-z0-9_-]+$/)
    .transform((text) => Buffer.from(text, 'base64url').toString('utf8'))
    .pipe(inner as unknown as z.ZodType<z.output<T>, string>)
    .optional()
}
