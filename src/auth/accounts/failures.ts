import type { Store } from '../../storage/store.js'

/** Failures that get an audit record of their own; a flood of more is one story, and must not fill the disk. */
const RECORDED = { points: 600, seconds: 3600 }

/**
 * One refused password or code. Of whom is known to the registry alone: `unknown` is recorded in just the same way, for
 * a missing write would tell as much as another answer.
 */
export type RecordFailure = (account: string | undefined) => Promise<void>

export function openFailureRecord(options: {
  readonly store: Pick<Store, 'addAuditRecord' | 'counter'>
  /** Milliseconds. */
  readonly now: () => number
}): RecordFailure {
  const { store, now } = options
  const recorded = store.counter('login-failures', RECORDED)
  return async (account = 'unknown') => {
    const { isAllowed } = await recorded.take('all')
    if (!isAllowed) return
    await store.addAuditRecord({ at: now(), account, action: 'login.failed', target: account, detail: '{}' })
  }
}
