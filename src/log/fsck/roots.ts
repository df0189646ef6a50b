import {
  encodeBase64,
  formatVerifierKey,
  openTrustRoot,
  type PinnedLog,
  type TrustRoot,
} from 'countersign/core'
import type { FrozenLog, LogState, Store } from '../../storage/store.js'
import { refusable } from './refusable.js'
import type { CheckKeys, CheckReport } from './report.js'

export interface CheckedRoots {
  /** By version, from 1. */
  readonly notes: readonly string[]
  /** The key of a log as the newest root names it; undefined when no root does. */
  pinned(origin: string): PinnedLog | undefined
}

/** The logs as the database has them. */
interface Logs {
  readonly state: LogState
  readonly frozen: readonly FrozenLog[]
}

/** Trust roots follow each other, and the newest one names the logs of this database, in order, and our key. */
export async function checkRoots(
  store: Store,
  keys: CheckKeys,
  logs: Logs,
  report: CheckReport,
): Promise<CheckedRoots> {
  const rows = await store.readRootNotes()
  let newest: TrustRoot | undefined
  for (const [i, { version, note }] of rows.entries()) {
    const previous = newest
    const opened = version === i + 1 ? refusable(() => openTrustRoot(note, previous)) : undefined
    if (opened === undefined || opened.identity !== keys.identity) report.fault('root-invalid', { version })
    newest = opened ?? newest
  }
  if (newest !== undefined) checkLogs(newest, keys, logs, report)
  else if (logs.state.size > 0) report.fault('root-invalid', { version: 1 })
  return {
    notes: rows.map(({ note }) => note),
    pinned: (origin) => {
      const key = newest?.logVerifiers.get(origin)
      return key === undefined ? undefined : { origin, key }
    },
  }
}

function checkLogs(root: TrustRoot, keys: CheckKeys, { state, frozen }: Logs, report: CheckReport): void {
  const wrong = (origin: string): void => report.fault('succession-invalid', { origin })
  if (root.logs.length !== frozen.length + 1) wrong(state.origin)
  let base = 0
  for (const [i, log] of frozen.entries()) {
    const named = root.logs[i]
    const same =
      named?.status === 'frozen' &&
      named.origin === log.origin &&
      named.final.size === log.size &&
      named.final.root === encodeBase64(log.root)
    if (!same || log.number !== i + 1 || log.base !== base) wrong(log.origin)
    base += log.size
  }
  const active = root.logs.at(-1)
  const { name, type, publicKey } = keys.log.key
  const ours = active?.origin === state.origin && active.vkey === formatVerifierKey(name, type, publicKey)
  if (!ours || state.base !== base || keys.origin !== state.origin) wrong(state.origin)
}
