import { setTimeout as wait } from 'node:timers/promises'
import { StoreError } from '../storage/errors.js'
import type { Store } from '../storage/store.js'
import type { Chain } from './chain.js'
import { LedgerFatal } from './errors.js'
import type { LogHead } from './head.js'

/** Pauses between the questions to a database that does not answer. */
const PAUSES_MS = [0, 200, 1000]

export interface FateOptions {
  readonly store: Pick<Store, 'readSettledLogState' | 'readCheckpoint'>
  readonly chain: Chain
}

/**
 * What became of a signed batch whose COMMIT came to no certain end. Only the database says it, and only after whatever
 * was under way has ended: until then a COMMIT on its way could still happen. Throws StoreError when it does not
 * answer, and LedgerFatal when it is not the log that this process knows.
 */
export async function fateOf(
  next: LogHead,
  { store, chain }: FateOptions,
): Promise<'committed' | 'rolled-back'> {
  const { head } = chain
  const state = await insist(() => store.readSettledLogState())
  // The batch may stand in a log that was ended since: that is for the next start to find out.
  if (state?.base !== head.base || state.size < head.size) {
    const detail = { base: head.base, known: head.size, database: state?.size ?? 0 }
    throw new LedgerFatal('outcome-unknown', 'the log is another one since a batch was signed', detail)
  }
  const note = await insist(() => store.readCheckpoint(next.size))
  return note === next.note ? 'committed' : 'rolled-back'
}

async function insist<T>(ask: () => Promise<T>, tries = 0): Promise<T> {
  await wait(PAUSES_MS[tries] ?? 0)
  try {
    return await ask()
  } catch (cause) {
    const isAway = cause instanceof StoreError && ['unavailable', 'busy'].includes(cause.code)
    if (!isAway || tries === PAUSES_MS.length - 1) throw cause
    return insist(ask, tries + 1)
  }
}
