import {
  activeLog,
  openTrustRoot,
  type NoteSigner,
  type PinnedLog,
  type TrustRoot,
  type VerifierKey,
} from 'countersign/core'
import { checkLog, type LogCheck } from '../../log/fsck.js'
import { readHead, type LogHead } from '../../log/head.js'
import type { RegistryKeys, StandingKeys } from '../../log/keys.js'
import { readNewestRoot } from '../../log/root-notes.js'
import type { LogState, Store } from '../../storage/store.js'
import { OperatorError } from '../errors.js'
import { walkRoots } from './roots.js'

/** The log as the database has it, and the trust root that says whose it is. Its private key is not needed. */
export interface Ending {
  readonly state: LogState
  readonly head: LogHead
  /** The newest one that is known. */
  readonly root: TrustRoot
  /** Those that hosts may know and the database does not, `root` the last of them. */
  readonly missedRoots: readonly TrustRoot[]
  readonly log: PinnedLog
  readonly check: LogCheck
}

/**
 * Reads the log that is to end, by the key that the newest trust root names: the key file may be lost or a thief's.
 * Throws OperatorError `recovery-source` where there is no log, LedgerFatal where it is damaged.
 */
export async function readEnding(
  store: Store,
  keys: StandingKeys,
  newerRoots: readonly string[],
): Promise<Ending> {
  const state = await store.readLogState()
  if (state === undefined || state.size === 0) {
    throw new OperatorError('recovery-source', 'the database holds no log: there is nothing to succeed')
  }
  const newest = openTrustRoot((await readNewestRoot(store)).note)
  const missedRoots = walkRoots(newest, newerRoots)
  const root = missedRoots.at(-1) ?? newest
  const { origin, key } = activeLog(root)
  if (origin !== state.origin || root.identity !== keys.identity) {
    throw new OperatorError(
      'recovery-source',
      `the log of the database is not ${origin}, the active one of the root`,
    )
  }
  const verifying = verifyingKeys(keys, key)
  const head = await readHead(store, verifying)
  const check = await checkLog(store, verifying)
  return { state, head, root, missedRoots, log: { origin, key }, check }
}

/** Keys that verify the old log and sign nothing for it. */
function verifyingKeys(keys: StandingKeys, key: VerifierKey): RegistryKeys {
  return { ...keys, origin: key.name, log: verifyOnly(key) }
}

function verifyOnly(key: VerifierKey): NoteSigner {
  return {
    name: key.name,
    key,
    sign: () => {
      throw new OperatorError('recovery-source', 'nothing is signed with the key of a log that ends')
    },
  }
}
