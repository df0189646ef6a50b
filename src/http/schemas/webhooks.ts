import { z } from 'zod'

const url = z.string().min(8).max(2048)
const events = z
  .array(z.string().regex(/^[a-z][a-z.-]{1,40}$/))
  .max(32)
  .default([])
const namespace = z.string().min(3).max(200).optional()

export const webhookBody = z.strictObject({ url, events })
export const adminWebhookBody = z.strictObject({ url, events, namespace })
export const webhooksQuery = z.strictObject({ namespace })
