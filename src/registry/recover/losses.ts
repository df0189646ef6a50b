import { readFile } from 'node:fs/promises'
import { CountersignError, equalBytes, openCheckpoint, treeRootAsync } from 'countersign/core'
import { exists } from '../../log/keys.js'
import { storedHashes } from '../../log/tiles.js'
import { askWitnesses } from '../../log/witness/ask-witnesses.js'
import type { Outside } from '../../net/outside.js'
import type { Store } from '../../storage/store.js'
import { visible } from '../terminal.js'
import type { Ending } from './ending.js'

const WITNESS_MS = 5000

/** Where somebody may know more of the log than the database does. */
export interface Rememberers {
  readonly rollbackFile: string
  /** How witnesses are reached; without it none is asked. */
  readonly outside?: Outside | undefined
}

/** What ends with the log and is not in the database, a line each, for the person who decides. */
export async function findLosses(store: Store, ending: Ending, of: Rememberers): Promise<string[]> {
  return [
    ...(await rememberedLosses(store, ending, of.rollbackFile)),
    ...(of.outside === undefined ? [] : await witnessedLosses(ending, of.outside)),
    ...faults(ending),
  ]
}

async function rememberedLosses(store: Store, { state, log }: Ending, file: string): Promise<string[]> {
  if (!(await exists(file))) return [`${file} is not there: nobody here knows whether the log went further`]
  try {
    const { checkpoint } = openCheckpoint(await readFile(file, 'utf8'), log)
    const { size, root } = checkpoint
    if (size > state.size) return [lost(`${file} remembers`, size, state.size)]
    const own = await treeRootAsync(size, storedHashes(store.readTile.bind(store)))
    return equalBytes(own, root) ? [] : [other(`${file} remembers`, size)]
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return [`${file} holds no checkpoint of ${log.origin}: nobody here knows whether the log went further`]
  }
}

async function witnessedLosses({ state, root, log }: Ending, outside: Outside): Promise<string[]> {
  if (root.quorum.witnesses.length === 0) return []
  const tree = { size: state.size, root: state.root, note: state.note }
  const said = await askWitnesses({ outside, log, policy: root.quorum, tree, timeoutMs: WITNESS_MS })
  const claimed = said.rollback?.detail['claimed']
  const witness = visible(String(said.rollback?.detail['witness'] ?? ''))
  return [
    ...said.failures.map(
      (one) => `the witness ${visible(one.witness)} did not say what it knows: ${one.code}`,
    ),
    ...(typeof claimed !== 'number' ? [] : [beyond(`the witness ${witness} knows`, claimed, state.size)]),
  ]
}

function beyond(who: string, claimed: number, size: number): string {
  return claimed > size ? lost(who, claimed, size) : other(who, claimed)
}

function lost(who: string, claimed: number, size: number): string {
  return `${who} ${claimed} entries and the database has ${size}: the last ${claimed - size} are lost for good. Hosts that saw them go on when somebody pins the new trust root there (countersign trust update)`
}

function other(who: string, size: number): string {
  return `${who} another log at ${size} entries: hosts that saw it will refuse this registry for good`
}

function faults({ check }: Ending): string[] {
  if (check.faultCount === 0) return []
  const shown = check.faults
    .slice(0, 10)
    .map(({ code, detail }) => `${code} ${visible(JSON.stringify(detail))}`)
  return [`the log in the database has ${check.faultCount} faults: ${shown.join('; ')}`]
}
