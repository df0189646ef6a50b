import { rootNoteDigest, type TrustRoot } from 'countersign/core'
import { draftBatch } from '../../log/batch.js'
import type { Candidate } from '../../log/candidate.js'
import { emptyState, readHead, signCheckpoint } from '../../log/head.js'
import type { RegistryKeys } from '../../log/keys.js'
import type { Store } from '../../storage/store.js'
import type { Ending } from './ending.js'
import type { RecoveryPlan } from './journal.js'

/**
 * One transaction: the log is frozen where it ends, and its successor holds `continue`, the trust roots that the frozen
 * log lacks, the last of which says so, and a snapshot of what stands revoked. Before it nothing has happened, after it everything has.
 */
export async function succeed(
  store: Store,
  { state, missedRoots }: Ending,
  plan: RecoveryPlan,
  root: TrustRoot,
  keys: RegistryKeys,
): Promise<void> {
  const successor = emptyState(keys, state.base + state.size)
  const sign = (size: number, hash: Uint8Array): string => signCheckpoint(keys, size, hash)
  const candidates = [continuation(plan), ...[...missedRoots, root].map(rootEntry)]
  await store.commitBatch(async (tx) => {
    await tx.succeed(successor)
    await draftBatch(tx, await readHead(tx, keys), candidates, sign)
  })
}

function continuation({ frozen }: RecoveryPlan): Candidate {
  return {
    authorise: () => Promise.resolve(),
    event: () => ({ v: 1, t: 'continue', ...frozen }),
    apply: () => Promise.resolve(),
  }
}

function rootEntry({ version, note }: TrustRoot): Candidate {
  return {
    authorise: () => Promise.resolve(),
    event: () => ({ v: 1, t: 'root', version, digest: rootNoteDigest(note) }),
    apply: (tx) => tx.putRootNote({ version, note }),
  }
}
