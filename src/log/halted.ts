import { equalBytes, openCheckpoint, treeRootAsync, type Checkpoint } from 'countersign/core'
import type { Store } from '../storage/store.js'
import { LedgerFatal } from './errors.js'
import { pinnedLog } from './head.js'
import type { RegistryKeys } from './keys.js'
import { storedHashes } from './tiles.js'

// The rollback file is known to the processes of one machine. What was proved to one of them has to stop those on other
// machines, too: they have the database in common.

/** Of this log: a successor begins without it. */
function factOf({ origin }: RegistryKeys): string {
  return `halted:${origin}`
}

/** Keeps a checkpoint that this database does not hold where every process over it looks. */
export async function tellSiblings(
  note: string,
  store: Pick<Store, 'keepFact'>,
  keys: RegistryKeys,
): Promise<void> {
  await store.keepFact(factOf(keys), note)
}

/** Throws LedgerFatal `rollback` when another history was proved to whichever process over this database. */
export async function assertNotHalted(
  store: Pick<Store, 'readFact' | 'readLogState' | 'readTile'>,
  keys: RegistryKeys,
): Promise<void> {
  const note = await store.readFact(factOf(keys))
  if (note === undefined) return
  const { size, root } = openProof(note, keys)
  const database = (await store.readLogState())?.size ?? 0
  if (size <= database) {
    const read = storedHashes((level, n) => store.readTile(level, n))
    if (equalBytes(await treeRootAsync(size, read), root)) return
  }
  throw halted(keys, { reported: size, database, note })
}

function openProof(note: string, keys: RegistryKeys): Checkpoint {
  try {
    return openCheckpoint(note, pinnedLog(keys)).checkpoint
  } catch (cause) {
    // Whoever wrote it meant it to stop the log.
    throw halted(keys, {}, cause)
  }
}

function halted(keys: RegistryKeys, detail: LedgerFatal['detail'], cause?: unknown): LedgerFatal {
  const fact = factOf(keys)
  const message = [
    'A process over this database was shown another history under the signature of this log: the database remembers it',
    `as the fact ${fact}. Signing now would fork the log, and hosts would refuse this registry as dishonest.`,
    'Stop here and restore the newest database: one that holds that history goes on. If its last entries are lost for',
    'good, or somebody else signs with the key, retire this log with a successor under a new trust root:',
    'countersign-registry recover. Delete the fact only if this registry has never been seen by anyone.',
  ].join('\n')
  return new LedgerFatal('rollback', message, { fact, ...detail }, { cause })
}
