import type { Logger } from 'pino'
import { isDigest } from 'countersign/core'
import { OutsideError, type Outside } from '../net/outside.js'
import type { AuditRecord, Store, WebhookRow } from '../storage/store.js'
import type { WebhookKey } from './key.js'
import { formatMessage, NAMESPACE_EVENTS, type Message, type Subject } from './message.js'

export interface DeliveryOptions {
  readonly store: Store
  readonly outside: Outside
  readonly key: WebhookKey
  /** Nobody is told of what no published checkpoint covers. */
  readonly publishedSize: () => number
  readonly now: () => number
  readonly log: Logger
  /** Between two looks for something to deliver; default 2000. */
  readonly everyMs?: number
}

export interface Deliveries {
  /** One look at every webhook whose time has come; for tests, and what the timer calls. */
  runOnce(): Promise<void>
  close(): Promise<void>
}

const TIMEOUT_MS = 10_000
const WEBHOOKS_AT_ONCE = 16
const RECORDS_AT_ONCE = 50
const FIRST_WAIT_MS = 5_000
const LONGEST_WAIT_MS = 6 * 3600_000
/** With waits that double up to six hours: about four days. */
const GIVE_UP_AFTER = 28

/**
 * Tells webhooks what the audit trail says, in its order, each at least once: a receiver that fails holds up its own
 * queue and nobody else's. One look at a time; what is due when it ends waits for the next.
 */
export function openDeliveries(options: DeliveryOptions): Deliveries {
  const { store, log, now, everyMs = 2000 } = options
  let running: Promise<void> | undefined
  let closed = false

  const look = async (): Promise<void> => {
    const due = await store.readDueWebhooks(now(), WEBHOOKS_AT_ONCE)
    await Promise.all(due.map((webhook) => serve(webhook, options)))
  }
  const runOnce = (): Promise<void> => {
    running ??= look().finally(() => {
      running = undefined
    })
    return running
  }
  const timer = setInterval(() => {
    if (closed) return
    runOnce().catch((error: unknown) => log.error({ err: error }, 'webhooks could not be served'))
  }, everyMs)
  timer.unref()
  return {
    runOnce,
    async close() {
      closed = true
      clearInterval(timer)
      await running
    },
  }
}

/** Everything this webhook has not heard yet, up to the first thing it does not take. */
async function serve(webhook: WebhookRow, options: DeliveryOptions): Promise<void> {
  const { store, publishedSize } = options
  let { cursor } = webhook
  for (const record of await store.readAuditSince(cursor, RECORDS_AT_ONCE)) {
    if (record.index !== undefined && record.index >= publishedSize()) break
    if (!(await tell(webhook, record, options))) return
    cursor = record.id
    await store.updateWebhook(webhook.id, { cursor, failures: 0, nextAt: 0 })
  }
}

/** True when the webhook took it, or is not to be told. */
async function tell(webhook: WebhookRow, record: AuditRecord, options: DeliveryOptions): Promise<boolean> {
  const subject = await subjectOf(record, options.store)
  if (!isWanted(webhook, record, subject)) return true
  const { key, now } = options
  const message = formatMessage(record, subject, { webhook: webhook.id, key, now: now() })
  const status = await post(webhook, message, options.outside)
  if (status !== undefined && status >= 200 && status < 300) return true
  await postpone(webhook, status, options)
  return false
}

/** The receiver's status, or undefined when there was none. */
export async function post(
  webhook: Pick<WebhookRow, 'url' | 'namespace'>,
  { body, headers }: Message,
  outside: Outside,
): Promise<number | undefined> {
  try {
    const answer = await outside.request(webhook.url, {
      ...{ method: 'POST', headers, body, timeoutMs: TIMEOUT_MS },
      // A publisher's webhook must not reach into the registry's own network; an admin's may.
      trusted: webhook.namespace === undefined,
    })
    return answer.status
  } catch (error) {
    // A receiver that took the message and then talks too much took it all the same.
    if (error instanceof OutsideError) return error.code === 'too-large' ? 200 : undefined
    throw error
  }
}

/** 410 says that nobody is there any more; everything else may pass. */
async function postpone(
  webhook: WebhookRow,
  status: number | undefined,
  { store, now, log }: DeliveryOptions,
): Promise<void> {
  const failures = webhook.failures + 1
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 20))
  const disabled = status === 410 || failures >= GIVE_UP_AFTER
  await store.updateWebhook(webhook.id, { failures, nextAt: now() + wait, disabled })
  if (!disabled) return
  log.warn({ webhook: webhook.id, status }, 'a webhook is disabled')
  await store.addAuditRecord({
    at: now(),
    account: webhook.account,
    action: 'webhook.disable',
    target: webhook.id,
    detail: JSON.stringify({ failures, status: status ?? null }),
  })
}

function isWanted(webhook: WebhookRow, { action }: AuditRecord, subject: Subject): boolean {
  if (webhook.events.length > 0 && !webhook.events.includes(action)) return false
  if (webhook.namespace === undefined) return true
  return subject.namespace === webhook.namespace && NAMESPACE_EVENTS.some((event) => event === action)
}

/** Targets are a manifest's digest, `server:NAME`, `tool:DIGEST`, `manifest:DIGEST` or a namespace. */
async function subjectOf({ action, target }: AuditRecord, store: Store): Promise<Subject> {
  const bare = target.startsWith('manifest:') ? target.slice('manifest:'.length) : target
  if (isDigest(bare)) {
    const manifest = await store.readManifest(bare)
    return manifest === undefined ? {} : { namespace: manifest.namespace, manifest }
  }
  const server = /^server:([^/]+)\//.exec(target)?.[1]
  if (server !== undefined) return { namespace: server }
  const aboutNamespace = action.startsWith('namespace') || action.startsWith('key.')
  return aboutNamespace ? { namespace: target } : {}
}
