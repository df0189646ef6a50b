import type { AuditRecord, ManifestListing } from '../storage/store.js'
import type { WebhookKey } from './key.js'

/**
 * What anyone is told of who subscribes to a namespace; everything else is for admins' webhooks. Votes and comments are
 * the reviewers' own until they decide.
 */
export const NAMESPACE_EVENTS = [
  'publish',
  'approve',
  'reject',
  'withdraw',
  'deprecate',
  'revoke',
  'reinstate',
  'namespace',
  'namespace.grant',
  'namespace.prove',
  'namespace.absent',
  'namespace.unreachable',
  'namespace.suspend',
  'namespace.restore',
  'key.add',
  'key.revoke',
] as const

/** What a record is about, as far as it is about a namespace. */
export interface Subject {
  readonly namespace?: string
  readonly manifest?: Pick<ManifestListing, 'manifest' | 'server' | 'version' | 'status'>
}

/** A signed message, ready to be posted. */
export interface Message {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

/**
 * One audit record in the form of Standard Webhooks: `{ type, timestamp, data }`, with `webhook-id` (the same for every
 * attempt, so that a receiver counts it once), `webhook-timestamp` and an Ed25519 signature (`v1a`) over all three.
 * It names digests and opaque accounts; of what people wrote it carries the reason of a decision, which is public.
 */
export function formatMessage(
  record: AuditRecord,
  subject: Subject,
  { webhook, key, now }: { webhook: string; key: WebhookKey; now: number },
): Message {
  const { manifest, namespace } = subject
  const reason = reasonOf(record)
  const body = JSON.stringify({
    type: record.action,
    timestamp: new Date(record.at).toISOString(),
    data: {
      id: record.id,
      account: record.account,
      target: record.target,
      ...(namespace !== undefined && { namespace }),
      ...(manifest !== undefined && { server: manifest.server, version: manifest.version }),
      ...(manifest !== undefined && { manifest: manifest.manifest, status: manifest.status }),
      ...(record.index !== undefined && { index: record.index }),
      ...(reason !== undefined && { reason }),
    },
  })
  // A database from a backup gives its records' numbers again: with the time they name one record for ever.
  return signMessage(`${webhook}_${record.id}_${record.at}`, body, key, now)
}

/** What a test of a webhook sends. */
export function formatPing(webhook: string, key: WebhookKey, now: number): Message {
  const body = JSON.stringify({ type: 'ping', timestamp: new Date(now).toISOString(), data: { webhook } })
  return signMessage(`${webhook}_ping_${now}`, body, key, now)
}

function signMessage(id: string, body: string, key: WebhookKey, now: number): Message {
  const seconds = Math.floor(now / 1000)
  const signature = key.sign(`${id}.${seconds}.${body}`).toString('base64')
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'countersign-registry',
      'webhook-id': id,
      'webhook-timestamp': String(seconds),
      'webhook-signature': `v1a,${signature}`,
    },
  }
}

const DECISIONS = new Set(['reject', 'withdraw', 'deprecate', 'revoke', 'reinstate'])

/** Reasons of decisions are in the log already; other details stay here. */
function reasonOf({ action, detail }: AuditRecord): string | undefined {
  if (!DECISIONS.has(action)) return undefined
  const value = (JSON.parse(detail) as { reason?: unknown }).reason
  return typeof value === 'string' ? value : undefined
}
