import { CountersignError, encodeBase64 } from '../../core/index.js'
import { attempt } from './findings.js'
import type { Mark } from './marks.js'
import { openOwnTree } from './own-tree.js'
import { MAX_PENDING, MAX_SEEN, type Progress, type SeenTree } from './progress.js'
import { documentOfReplay } from './replay-text.js'
import type { Run } from './run.js'
import { treesOf, verifyQuorum, type ShownTree, type SignedTree } from './shown.js'
import { checkConsistency, notesOf, type LogRange } from './walk.js'

/** Where the next audit goes on from: what was read of this log so far. */
export function progressOf(run: Run, log: LogRange, ahead: readonly Mark[]): Progress {
  const { shown, before, replay, tree, roots, approvals } = run
  const own = { origin: log.origin, size: tree.size, root: encodeBase64(tree.root()), note: log.end.note }
  return {
    identity: roots.newest.identity,
    origin: log.origin,
    note: log === activeRange(run) ? shown.target.note : log.end.note,
    tree: tree.document(),
    replay: documentOfReplay(replay.state),
    seen: withTree(withinLogs(run, before?.seen), own).slice(-MAX_SEEN),
    pending: withTrees([], ahead).slice(-MAX_PENDING),
    approvals: [...approvals],
  }
}

export function activeRange({ logs }: Pick<Run, 'logs'>): LogRange {
  return logs.at(-1) as LogRange
}

/**
 * In the middle of a long log: what is proved to be of the signed tree need not be read again; what is proved not to be
 * need not be read on, for it may never end.
 * @returns whether to read on
 */
export async function saveBetween(run: Run, log: LogRange): Promise<boolean> {
  const { tree, replay, options, source, held } = run
  // The end is judged by the whole audit alone, when its last tiles were compared as well.
  if (tree.size >= log.end.size) return true
  const place = { size: tree.size, root: tree.root() }
  const index = log.base + tree.size
  const proved = await attempt(
    run.findings,
    index,
    () => checkConsistency(source, log, place, log.end),
    () => notesOf(log.end),
  )
  if (proved === undefined) return false
  const isBetween = replay.state.position === index && log.end.note !== ''
  // Killed after a lie was told, a run tells it again: somebody may only look at the code it ends with.
  if (options.onVerified === undefined || proved === 'unproved' || !isBetween || held.hasLied) return true
  tell(run)
  held.tell()
  const ahead = run.marks.filter(({ isAhead }) => isAhead)
  await options.onVerified(progressOf(run, log, ahead))
  return true
}

export function tell({ findings, alerts, events }: Run): void {
  for (const alert of alerts.splice(0)) findings.alert(alert)
  for (const event of events.splice(0)) findings.event(event)
}

/**
 * What was signed and shown is kept before anything else is asked for: otherwise a registry could show one tree, answer
 * nothing more, and show another tree to the next run.
 */
export async function keepShown(run: Run): Promise<void> {
  const { before, options, shown, isAhead } = run
  const begun = before ?? beginning(run)
  if (options.onVerified === undefined || begun === undefined || !isAhead) return
  // What is not larger than what was read is told of in this run, whatever else is answered.
  const trees = [...shown.earlier, ...treesOf(shown)].filter(
    ({ origin, size }) => begun.origin !== origin || size > begun.tree.size,
  )
  const published = trees.filter((tree) => isPublished(run, tree))
  const isKnown = (tree: SignedTree): boolean =>
    published.some((one) => isSameTree(seenOf(one), seenOf(tree)))
  const seen = withTrees(withinLogs(run, begun.seen), published).slice(-MAX_SEEN)
  const pending = withTrees(
    begun.pending,
    trees.filter((tree) => !isKnown(tree)),
  ).slice(-MAX_PENDING)
  if (before !== undefined && isSame(before.seen, seen) && isSame(before.pending, pending)) return
  await options.onVerified({ ...begun, seen, pending })
}

/** Before the first entry of the first log. */
function beginning({ logs, roots, replay }: Run): Progress | undefined {
  const [first] = logs
  if (first === undefined || first.end.note === '') return undefined
  return {
    identity: roots.newest.identity,
    origin: first.origin,
    note: first.end.note,
    tree: openOwnTree().document(),
    replay: documentOfReplay(replay.state),
    seen: [],
    pending: [],
    approvals: [],
  }
}

/** A log must not go back behind what its quorum cosigned; what it signed alone may wait for long. */
function isPublished({ roots }: Run, tree: ShownTree): boolean {
  if (tree.isAhead === true) return false
  try {
    verifyQuorum(tree.note, roots.newest)
    return true
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    return false
  }
}

/** Trees beyond the end of a frozen log are no part of the history any more, and neither is one that was found a fork. */
function withinLogs(run: Run, trees: readonly SeenTree[] = []): SeenTree[] {
  return trees.filter(({ origin, size, root }) => {
    const own = run.landmarks.get(origin)?.get(size)?.root
    const isOther = own !== undefined && encodeBase64(own) !== root
    return !isOther && run.logs.some((log) => log.origin === origin && size <= log.end.size)
  })
}

function withTrees(trees: readonly SeenTree[], more: readonly SignedTree[]): SeenTree[] {
  return more.reduce<SeenTree[]>((all, tree) => withTree(all, seenOf(tree)), [...trees])
}

function withTree(trees: readonly SeenTree[], tree: SeenTree): SeenTree[] {
  return [...trees.filter((other) => !isSameTree(other, tree)), tree]
}

function isSame(some: readonly SeenTree[], others: readonly SeenTree[]): boolean {
  return (
    some.length === others.length && others.every((tree) => some.some((other) => isSameTree(other, tree)))
  )
}

function isSameTree(a: SeenTree, b: SeenTree): boolean {
  return a.origin === b.origin && a.size === b.size && a.root === b.root
}

function seenOf({ origin, size, root, note }: SignedTree): SeenTree {
  return { origin, size, root: encodeBase64(root), note }
}
