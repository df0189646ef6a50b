import type { Auth } from '../auth/auth.js'
import type { Context } from '../publishers/context.js'
import type { WebhookKey } from '../webhooks/key.js'
import type { ServedPolicy } from './host-policy.js'
import type { StaticReads } from './static.js'

/** What stands behind the routes. */
export interface Rooms {
  readonly context: Context
  readonly auth: Auth
  readonly publicUrl: string
  readonly reads: StaticReads
  readonly webhookKey: WebhookKey
  /** What the organisation asks of its hosts, where it says so. */
  readonly hostPolicy?: ServedPolicy | undefined
  /** Where people log in, when that is not here. */
  readonly external?: { readonly issuer: string; readonly clientId?: string | undefined } | undefined
}
