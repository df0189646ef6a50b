import { randomBytes } from 'node:crypto'
import { LedgerRefusal } from '../log/errors.js'
import type { Context } from '../publishers/context.js'
import { actsFor } from '../publishers/keys.js'
import type { Store, WebhookRow } from '../storage/store.js'
import type { WebhookKey } from './key.js'
import { formatPing, NAMESPACE_EVENTS } from './message.js'
import { isTaken, post } from './post.js'

const MAX_WEBHOOKS = 20
/** The one that the configuration names. */
const CONFIGURED = 'configured'

export interface WebhookRequest {
  readonly url: string
  readonly events: readonly string[]
  readonly namespace?: string | undefined
}

export interface WebhookView {
  readonly id: string
  readonly url: string
  readonly namespace?: string
  readonly events: readonly string[]
  readonly account: string
  readonly failures: number
  readonly disabled: boolean
  readonly createdAt: string
}

/** Adds a webhook that is told of everything from now on. Throws LedgerRefusal `webhook-invalid`. */
export async function addWebhook(
  context: Context,
  account: string,
  { url, events, namespace }: WebhookRequest,
): Promise<WebhookView> {
  const { store, now } = context
  if (namespace !== undefined) assertEvents(events)
  const own = await store.listWebhooks(
    namespace === undefined ? { account } : { namespace },
    MAX_WEBHOOKS + 1,
  )
  if (own.length >= MAX_WEBHOOKS) {
    throw new LedgerRefusal('webhook-invalid', `there are ${MAX_WEBHOOKS} webhooks already`)
  }
  const row: WebhookRow = {
    id: `wh-${randomBytes(9).toString('hex')}`,
    url: assertUrl(url, namespace === undefined),
    ...(namespace !== undefined && { namespace }),
    ...{ events: [...new Set(events)], account, cursor: await newestRecord(store) },
    ...{ failures: 0, nextAt: 0, disabled: false, createdAt: now() },
  }
  await store.createWebhook(row)
  await audit(context, account, 'webhook.add', row)
  return viewWebhook(row)
}

/** The webhook of the configuration: there while it is configured, with its place in the trail kept. */
export async function keepConfiguredWebhook(context: Context, url: string | undefined): Promise<void> {
  const { store, now } = context
  const kept = await store.readWebhook(CONFIGURED)
  if (kept?.url === url) return
  if (kept !== undefined) await store.deleteWebhook(CONFIGURED)
  if (url === undefined) return
  await store.createWebhook({
    ...{
      id: CONFIGURED,
      url,
      events: [],
      account: 'admin',
      cursor: kept?.cursor ?? (await newestRecord(store)),
    },
    ...{ failures: 0, nextAt: 0, disabled: false, createdAt: now() },
  })
}

export async function listWebhooks(
  { store }: Context,
  filter: { namespace?: string | undefined },
): Promise<WebhookView[]> {
  return (await store.listWebhooks(filter, 100)).map(viewWebhook)
}

/** Throws LedgerRefusal `webhook-unknown`, also for one of another namespace. */
export async function removeWebhook(
  context: Context,
  account: string,
  where: { id: string; namespace?: string | undefined },
): Promise<WebhookView> {
  const row = await readOwn(context.store, where)
  await context.store.deleteWebhook(row.id)
  await audit(context, account, 'webhook.remove', row)
  return viewWebhook(row)
}

/** Sends a `ping` now, whatever waits; says what came back. */
export async function testWebhook(
  context: Context,
  key: WebhookKey,
  where: { id: string; namespace?: string | undefined },
): Promise<{ id: string; delivered: boolean; status: number | null }> {
  const row = await readOwn(context.store, where)
  const status = await post(row, formatPing(row.id, key, context.now()), context.outside)
  const delivered = isTaken(status)
  if (delivered && row.disabled) {
    await context.store.updateWebhook(row.id, { disabled: false, failures: 0, nextAt: 0 })
  }
  return { id: row.id, delivered, status: status ?? null }
}

/** Whoever acts for a namespace may be told what happens in it. Throws LedgerRefusal `namespace-not-granted`. */
export async function assertSubscribes(
  { store }: Context,
  namespace: string,
  account: string,
): Promise<void> {
  if (actsFor(account, await store.readNamespace(namespace), await store.readGrant(namespace))) return
  throw new LedgerRefusal('namespace-not-granted', 'the account does not act for this namespace', {
    namespace,
  })
}

async function readOwn(
  store: Store,
  { id, namespace }: { id: string; namespace?: string | undefined },
): Promise<WebhookRow> {
  const row = await store.readWebhook(id)
  if (row === undefined || (namespace !== undefined && row.namespace !== namespace)) {
    throw new LedgerRefusal('webhook-unknown', 'there is no such webhook', { webhook: id })
  }
  return row
}

/** A word that is none of them would never be heard of. */
function assertEvents(events: readonly string[]): void {
  const unknown = events.find((event) => !NAMESPACE_EVENTS.some((known) => known === event))
  if (unknown === undefined) return
  throw new LedgerRefusal('webhook-invalid', `events are of ${NAMESPACE_EVENTS.join(', ')}`, {
    field: 'events',
    unknown,
  })
}

/** https, or for admins http too: their receivers may be on this machine. */
function assertUrl(text: string, byAdmin: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const schemes = byAdmin ? ['https:', 'http:'] : ['https:']
  if (url === undefined || !schemes.includes(url.protocol) || url.username !== '' || url.password !== '') {
    throw new LedgerRefusal('webhook-invalid', 'url is an https: URL without a user', { field: 'url' })
  }
  url.hash = ''
  return url.href
}

async function newestRecord(store: Store): Promise<number> {
  return (await store.readAudit(1))[0]?.id ?? 0
}

async function audit(
  { store, now }: Context,
  account: string,
  action: string,
  row: WebhookRow,
): Promise<void> {
  const detail = JSON.stringify({ host: new URL(row.url).host, namespace: row.namespace ?? null })
  await store.addAuditRecord({ at: now(), account, action, target: row.id, detail })
}

function viewWebhook(row: WebhookRow): WebhookView {
  const { id, namespace, events, account, failures, disabled, createdAt } = row
  // What the configuration names may carry a secret in its path, which is the operator's.
  const url = id === CONFIGURED ? new URL(row.url).origin : row.url
  return {
    ...{ id, url, events, account, failures, disabled },
    ...(namespace !== undefined && { namespace }),
    createdAt: new Date(createdAt).toISOString(),
  }
}
