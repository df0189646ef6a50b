import { isDigest } from 'countersign/core'
import { actsFor } from '../publishers/keys.js'
import type { AuditRecord, ManifestRow, Store, WebhookRow } from '../storage/store.js'
import { NAMESPACE_EVENTS, type Subject } from './message.js'

/**
 * Whether the webhook may still be told: a namespace's is its owner's or an admin's, and ends when that account is
 * disabled or the namespace somebody else's. What the next owner does is none of its business.
 */
export async function isEntitled({ namespace, account }: WebhookRow, store: Store): Promise<boolean> {
  if (namespace === undefined) return true
  const row = await store.readAccount(account)
  if (row === undefined || row.disabled) return false
  if (row.roles.includes('admin')) return true
  if (!row.roles.includes('publisher')) return false
  return actsFor(account, await store.readNamespace(namespace), await store.readGrant(namespace))
}

export function isWanted(webhook: WebhookRow, { action }: AuditRecord, subject: Subject): boolean {
  if (webhook.events.length > 0 && !webhook.events.includes(action)) return false
  if (webhook.namespace === undefined) return true
  return subject.namespace === webhook.namespace && NAMESPACE_EVENTS.some((event) => event === action)
}

/** Targets are a manifest's digest, `server:NAME`, `tool:DIGEST`, `manifest:DIGEST` or a namespace. */
export async function subjectOf(
  { action, target }: AuditRecord,
  store: Store,
  publishedEnd: number,
): Promise<Subject> {
  const bare = target.startsWith('manifest:') ? target.slice('manifest:'.length) : target
  if (isDigest(bare)) {
    const manifest = await store.readManifest(bare)
    if (manifest === undefined) return {}
    return { namespace: manifest.namespace, manifest: asPublished(manifest, publishedEnd) }
  }
  const server = /^server:([^/]+)\//.exec(target)?.[1]
  if (server !== undefined) return { namespace: server }
  const aboutNamespace = action.startsWith('namespace') || action.startsWith('key.')
  return aboutNamespace ? { namespace: target } : {}
}

/** An approval is one when it is published: who is told earlier would act on what no host can prove. */
function asPublished(row: ManifestRow, publishedEnd: number): ManifestRow {
  const isGranted = row.status === 'approved' || row.status === 'deprecated'
  const isEarly = isGranted && (row.approveIndex ?? Infinity) >= publishedEnd
  return isEarly ? { ...row, status: 'pending' } : row
}
