import type { Digest } from 'countersign/core'
import type { Context } from '../publishers/context.js'
import type { Store } from '../storage/store.js'
import { readTarget } from './deciders.js'

export interface Comment {
  readonly account: string
  readonly at: string
  readonly text: string
}

/** What is shown with a manifest; the audit has all of them. */
const SHOWN = 100

/** A word between reviewers: an audit record, not an event, and it voids no vote. */
export async function comment(
  { store, now }: Context,
  account: string,
  digest: Digest,
  text: string,
): Promise<Comment> {
  await readTarget(store, digest)
  const at = now()
  const detail = JSON.stringify({ text })
  await store.addAuditRecord({ at, account, action: 'comment', target: digest, detail })
  return { account, at: new Date(at).toISOString(), text }
}

/** Oldest first, the newest hundred. */
export async function readComments(store: Store, digest: Digest): Promise<Comment[]> {
  const records = await store.readAudit(SHOWN, undefined, { action: 'comment', target: digest })
  return records
    .map(({ account, at, detail }) => {
      const { text } = JSON.parse(detail) as { text: string }
      return { account, at: new Date(at).toISOString(), text }
    })
    .reverse()
}
