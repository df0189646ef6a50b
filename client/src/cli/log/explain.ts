import { equalBytes } from '../../core/index.js'
import { lieAt, type Lie } from './lie.js'
import { openOwnTree } from './own-tree.js'
import type { Run } from './run.js'
import { isConsistent, notesOf, walkLog, type LogRange } from './walk.js'

/** Another root than the signed one: either the entries are not those of the tree, or the tree is another than before. */
export async function explainRoot(run: Run, log: LogRange): Promise<Lie> {
  const { before, first, logs, source } = run
  const index = log.base + log.end.size
  const isResumed = before?.origin === log.origin && logs[first] === log && run.began > log.base
  if (!isResumed || run.options.tiles === 'all') {
    return lieAt(index, 'checkpoint-invalid', ENTRIES, notesOf(log.end))
  }
  const kept = { size: before.tree.size, root: openOwnTree(before.tree).root() }
  const documents = notesOf(before, log.end)
  const isFork =
    kept.size === log.end.size ||
    (!(await isConsistent(source, log, kept, log.end)) && (await isOtherHistory(run, log, kept)))
  return isFork
    ? lieAt(index, 'equivocation', `the log was another one at size ${kept.size}`, documents)
    : lieAt(index, 'checkpoint-invalid', ENTRIES, documents)
}

const ENTRIES = 'the entries are not those of the signed checkpoint'

/** Whether all entries from the first one make up the signed tree, upon another past than the one that was seen. */
async function isOtherHistory(
  { source, findings }: Run,
  log: LogRange,
  kept: { readonly size: number; readonly root: Uint8Array },
): Promise<boolean> {
  const tree = openOwnTree()
  const landmarks = new Map([[kept.size, undefined]])
  const nothing = (): Promise<boolean> => Promise.resolve(true)
  const walk = { source, tree, landmarks, findings, onLeaf: () => undefined, onTile: nothing }
  if (!(await walkLog(walk, log))) return false
  return equalBytes(tree.root(), log.end.root)
}
