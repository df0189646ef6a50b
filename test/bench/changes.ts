import { CHANGE_CLASSES, CHANGE_TABLE, compareManifests, type ChangeClass } from 'countersign/change'
import { inspectManifest } from 'countersign/gates'
import { readSteps, type Step } from '../change/histories.js'
import { corpus } from '../support/shared.js'
import { rowOf, type Row } from './measure.js'

/** The share of all steps, and of patch releases, that may ask a person at most, for the bench to pass. */
const MAX_ASKING = 0.5
const MAX_ASKING_PATCH = 0.3

/**
 * What the table of changes means for real servers: the share of each class over the version histories of the corpus,
 * and how many steps would ask a person. Without the corpus there is nothing to measure, and no row.
 */
export function benchChanges(): Promise<Row[]> {
  const [history, servers] = [corpus('history'), corpus('servers')]
  if (history === undefined || servers === undefined) return Promise.resolve([])
  const steps = readSteps(history, servers)
  const patches = steps.filter(({ isPatch }) => isPatch)
  return Promise.resolve([
    ...rowsOf('all', steps.map(classOf), MAX_ASKING),
    ...rowsOf('patch', patches.map(classOf), MAX_ASKING_PATCH),
  ])
}

function classOf({ before, after }: Step): ChangeClass {
  return compareManifests(before, after, inspectManifest(after, { knownServers: [] })).class
}

function rowsOf(what: string, classes: readonly ChangeClass[], most: number): Row[] {
  const share = (row: string, isIn: (one: ChangeClass) => boolean, target: number): Row =>
    rowOf(
      { bench: 'changes', row: `${what}-${row}`, unit: 'steps', target },
      { value: classes.filter(isIn).length, against: classes.length },
    )
  return [
    ...CHANGE_CLASSES.map((name) => share(name, (one) => one === name, 1)),
    share('ask-personal', (one) => CHANGE_TABLE[one].personal === 'consent', most),
    share('ask-managed', (one) => CHANGE_TABLE[one].managed === 'consent', most),
  ]
}
