import type { Logger } from 'pino'
import type { Outside } from '../net/outside.js'
import type { AuditRecord, Store, WebhookRow } from '../storage/store.js'
import { isEntitled, isWanted, subjectOf } from './audience.js'
import type { WebhookKey } from './key.js'
import { formatMessage } from './message.js'
import { isTaken, post } from './post.js'

export interface DeliveryOptions {
  readonly store: Store
  readonly outside: Outside
  readonly key: WebhookKey
  /** Nobody is told of what no published checkpoint covers: positions from here on. */
  readonly publishedEnd: () => number
  readonly now: () => number
  readonly log: Logger
  /** Between two looks for something to deliver; default 2000. */
  readonly everyMs?: number
}

export interface Deliveries {
  /** A look, and the end of every turn that is under way then; for tests. */
  runOnce(): Promise<void>
  /** Ends after the messages that are under way; the rest is delivered by the next process. */
  close(): Promise<void>
}

const WEBHOOKS_AT_ONCE = 256
const RECORDS_AT_ONCE = 50
/** Who takes longer waits for the others before its next turn. */
const TURN_MS = 10_000
/** Longer than any turn: what a process that died has claimed is somebody else's then. */
const CLAIM_MS = 120_000
const FIRST_WAIT_MS = 5_000
const LONGEST_WAIT_MS = 6 * 3600_000
/** With waits that double up to six hours: about four days. */
const GIVE_UP_AFTER = 28

/**
 * Tells webhooks what the audit trail says, in its order, each at least once. Each has turns of its own: a receiver that
 * fails or is slow holds up its own queue and nobody else's.
 */
export function openDeliveries(options: DeliveryOptions): Deliveries {
  const { store, log, now, everyMs = 2000 } = options
  const turns = new Map<string, Promise<void>>()
  const closing = new AbortController()

  const startTurn = (id: string): void => {
    const turn = serve(id, options, closing.signal)
      .catch((error: unknown) => log.error({ err: error, webhook: id }, 'a webhook could not be served'))
      .finally(() => turns.delete(id))
    turns.set(id, turn)
  }
  const look = async (): Promise<void> => {
    const free = WEBHOOKS_AT_ONCE - turns.size
    if (free <= 0) return
    const due = await store.claimDueWebhooks(now(), free, now() + CLAIM_MS)
    for (const { id } of due) {
      if (!turns.has(id) && !closing.signal.aborted) startTurn(id)
    }
  }
  const timer = setInterval(() => {
    look().catch((error: unknown) => log.error({ err: error }, 'webhooks could not be looked for'))
  }, everyMs)
  timer.unref()
  return {
    async runOnce() {
      await look()
      await Promise.all(turns.values())
    },
    async close() {
      closing.abort()
      clearInterval(timer)
      await Promise.all(turns.values())
    },
  }
}

/** One turn: what this webhook has not heard yet, up to the first thing it does not take. */
async function serve(id: string, options: DeliveryOptions, closing: AbortSignal): Promise<void> {
  const { store, publishedEnd, now } = options
  // As it is now: between the look and this turn another one may have ended.
  const webhook = await store.readWebhook(id)
  if (webhook === undefined || webhook.disabled) return
  if (!(await isEntitled(webhook, store))) {
    await disable(webhook, { reason: 'its account no longer acts for the namespace' }, options)
    return
  }
  const end = now() + TURN_MS
  let place = webhook
  for (const record of await store.readAuditSince(webhook.cursor, RECORDS_AT_ONCE)) {
    const isUnpublished = record.index !== undefined && record.index >= publishedEnd()
    if (isUnpublished || closing.aborted || now() > end) break
    const status = await tell(place, record, options)
    if (status !== 'unwanted' && !isTaken(status)) return postpone(place, status, options)
    place = { ...place, cursor: record.id }
    if (status === 'unwanted') continue
    place = { ...place, failures: 0 }
    if (!(await store.updateWebhook(id, { cursor: record.id, failures: 0 }))) return
  }
  // Whoever had a turn comes after those who had none.
  await store.updateWebhook(id, { cursor: place.cursor, nextAt: now() })
}

/** What the receiver said, if it is to be told. */
async function tell(
  webhook: WebhookRow,
  record: AuditRecord,
  { store, key, publishedEnd, now, outside }: DeliveryOptions,
): Promise<number | undefined | 'unwanted'> {
  const subject = await subjectOf(record, store, publishedEnd())
  if (!isWanted(webhook, record, subject)) return 'unwanted'
  const message = formatMessage(record, subject, { webhook: webhook.id, key, now: now() })
  return post(webhook, message, outside)
}

/** 410 says that nobody is there any more; everything else may pass. */
async function postpone(
  { id, cursor, failures: before, ...webhook }: WebhookRow,
  status: number | undefined,
  options: DeliveryOptions,
): Promise<void> {
  const { store, now } = options
  const failures = before + 1
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 20))
  await store.updateWebhook(id, { cursor, failures, nextAt: now() + wait })
  if (status !== 410 && failures < GIVE_UP_AFTER) return
  await disable({ ...webhook, id, cursor, failures }, { failures, status: status ?? null }, options)
}

async function disable(
  { id, account }: WebhookRow,
  why: Readonly<Record<string, unknown>>,
  { store, now, log }: DeliveryOptions,
): Promise<void> {
  await store.updateWebhook(id, { disabled: true })
  log.warn({ webhook: id, ...why }, 'a webhook is disabled')
  await store.addAuditRecord({
    ...{ at: now(), account, action: 'webhook.disable', target: id },
    detail: JSON.stringify(why),
  })
}
