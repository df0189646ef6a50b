import { z } from 'zod'
import { account, namespace, time } from './common.js'

export const webhookKey = z
  .object({ publicKey: z.string().regex(/^whpk_[A-Za-z0-9+/]{43}=$/) })
  .meta({ id: 'WebhookKey', description: 'Ed25519, as Standard Webhooks writes it.' })

export const webhook = z
  .object({
    id: z.string(),
    url: z.string(),
    namespace: namespace.optional(),
    events: z.array(z.string()),
    account,
    failures: z.int().min(0),
    disabled: z.boolean(),
    createdAt: time,
  })
  .meta({ id: 'Webhook' })
export const webhookList = z.object({ webhooks: z.array(webhook) }).meta({ id: 'WebhookList' })

export const webhookTest = z
  .object({
    id: z.string(),
    delivered: z.boolean(),
    status: z.int().nullable().meta({ description: 'What came back; null when nothing did.' }),
  })
  .meta({ id: 'WebhookTest' })
