import { encodeBase64 } from 'countersign/core'
import type { Store } from '../../storage/store.js'
import { openRevocations, revocationTreeRoot } from '../revocations.js'
import type { History } from './history.js'
import type { CheckReport } from './report.js'

/** The lines that stand are those the newest snapshot names: the next one is made from them. */
export async function checkStanding(store: Store, history: History, report: CheckReport): Promise<void> {
  const snapshot = history.newestSnapshot()
  const tree = await openRevocations(await store.readRevocations())
  const expected = snapshot ?? { revocations: encodeBase64(revocationTreeRoot(tree)), count: 0 }
  const same =
    tree.lines.length === expected.count && encodeBase64(revocationTreeRoot(tree)) === expected.revocations
  if (!same) report.fault('revocations-mismatch', { count: tree.lines.length })
}
