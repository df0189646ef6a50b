import type { PinnedLog } from 'countersign/core'
import type { LogState, Store } from '../storage/store.js'
import { LedgerFatal } from './errors.js'
import { checkDerived } from './fsck/derived.js'
import { openHistory } from './fsck/history.js'
import { openReport, type CheckKeys, type CheckProgress, type LogCheck } from './fsck/report.js'
import { checkRoots } from './fsck/roots.js'
import { checkStanding } from './fsck/standing.js'
import { checkTree } from './fsck/tree.js'

export type { CheckedLog, CheckKeys, CheckProgress, FaultCode, LogCheck, LogFault } from './fsck/report.js'

/**
 * Reads the whole log back and believes nothing: trust roots follow each other; from the entries alone every leaf hash,
 * tile, root, checkpoint and snapshot is made again and compared, in the frozen logs as in the active one; rows derived
 * from entries name entries that say so. Streams: memory does not grow with the log. Nobody may write meanwhile.
 * Faults are a value; throws LedgerFatal `state-invalid` where there is no log, and StoreError when the disk fails.
 */
export async function checkLog(
  store: Store,
  keys: CheckKeys,
  onProgress: (progress: CheckProgress) => void = () => undefined,
): Promise<LogCheck> {
  const state = await store.readLogState()
  if (state === undefined) throw new LedgerFatal('state-invalid', 'there is no log in this database')
  const report = openReport(onProgress)
  const frozen = await store.readFrozenLogs()
  const roots = await checkRoots(store, keys, { state, frozen }, report)
  const history = openHistory(store, roots.notes, report)
  for (const log of frozen) {
    await checkTree(store, { ...log, log: log.number, pinned: roots.pinned(log.origin) }, history, report)
    history.freeze(log)
  }
  const pinned: PinnedLog = { origin: keys.origin, key: keys.log.key }
  await checkTree(store, { ...state, ...publishedOf(state), pinned }, history, report)
  history.end()
  await checkStanding(store, history, report)
  await checkDerived(store, report)
  return report.result()
}

function publishedOf({ publishedSize: size, publishedNote: note }: LogState) {
  return { published: { size, note } }
}
