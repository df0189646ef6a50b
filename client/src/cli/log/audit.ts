import { encodeBase64, equalBytes } from '../../core/index.js'
import { attempt, type Findings } from './findings.js'
import { lieAt, type Lie } from './lie.js'
import { checkSample, compareMarks, type Mark, type Seen } from './marks.js'
import { openOwnTree } from './own-tree.js'
import { MAX_PENDING, MAX_SEEN, type Progress, type SeenTree } from './progress.js'
import { documentOfReplay } from './replay-text.js'
import type { Replayed, ReplaySummary } from './replay.js'
import type { Pinned } from './roots.js'
import { landmarksOf, openRun, type Run } from './run.js'
import { checkServed } from './served.js'
import { fetchShown, readKept, verifyQuorum, type Attested, type SignedTree } from './shown.js'
import type { LogSource } from './source.js'
import { isConsistent, notesOf, walkLog, type LogRange } from './walk.js'
import type { Watch } from './watch.js'

export interface AuditOptions extends Seen {
  readonly source: LogSource
  readonly pinned: Pinned
  readonly findings: Findings
  readonly signal: AbortSignal
  /** Position from which on entries are told of; what came before is read all the same where it was not yet. */
  readonly from?: number | undefined
  /** Every tile again, or only those that grew. */
  readonly tiles: 'all' | 'new'
  readonly watch: Watch
  /** POSIX milliseconds. */
  readonly now: number
  /** Tiles of entries after which what was read is saved, once it is proved to be of the signed tree. */
  readonly saveEvery?: number
  /** Before what seems old is read again. */
  readonly waitMs?: number
  onProgress?(position: number, end: number): void
  /** What is verified so far; everything found in it was told before. */
  onVerified?(progress: Progress): Promise<void>
}

export interface Audit extends Omit<ReplaySummary, 'lies'> {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
  readonly checkpoint: string
  readonly attested?: Attested
  /** Position at which the replay began. */
  readonly began: number
  /** Where the next audit goes on; absent when the log could not be verified. */
  readonly progress?: Progress
}

const SAVE_EVERY = 256
const WAIT_MS = 2000

/**
 * Audits a log: reads what is shown, goes on where the last audit ended, replays every log up to its signed tree, compares
 * what was shown with that, and what lies beside the tree. Everything that cannot be true goes to the findings.
 * @throws CountersignError `registry-unreachable`; `checkpoint-invalid` for a checkpoint nobody signed
 */
export async function auditLog(options: AuditOptions): Promise<Audit> {
  const { source, pinned, findings, signal, waitMs = WAIT_MS } = options
  const shown = await fetchShown(source, pinned, findings, { waitMs, signal, seen: newestSeen(options) })
  const run = await openRun(options, shown)
  if (!run.isAhead || !(await readLogs(run))) return summaryOf(run)
  const ahead = await compareMarks(run)
  await checkSample(run, activeRange(run), run.sample)
  const attested = await checkPublished(run)
  const { replay, rootsBefore, approvals } = run
  await checkServed({ source, findings, shown, state: replay.state, rootsBefore, approvals })
  approvals.length = 0
  tell(run)
  const next = progressOf(run, activeRange(run), ahead)
  await options.onVerified?.(next)
  return { ...summaryOf(run), ...(attested && { attested }), progress: next }
}

/** What a log must not go back behind. */
function newestSeen({ progress, remembered }: Seen) {
  const kept = progress === undefined ? [] : [readKept(progress.note)]
  const note = remembered?.note ?? ''
  return remembered === undefined ? kept : [...kept, { ...remembered, note }]
}

function activeRange({ logs }: Run): LogRange {
  return logs.at(-1) as LogRange
}

/** Every log from where the last audit ended; whether all of them are what was signed. */
async function readLogs(run: Run): Promise<boolean> {
  for (const [i, log] of run.logs.entries()) {
    if (i < run.first) continue
    if (i > run.first) run.tree = openOwnTree()
    succeed(run, log, run.logs[i - 1])
    let tiles = 0
    const onTile = async (): Promise<void> => {
      run.options.onProgress?.(log.base + run.tree.size, log.base + log.end.size)
      if (++tiles % (run.options.saveEvery ?? SAVE_EVERY) === 0) await saveBetween(run, log)
    }
    const { source, tree, replay, findings } = run
    const landmarks = landmarksOf(run, log.origin)
    const onLeaf = (replayed: Replayed): void => takeLeaf(run, replayed)
    if (!(await walkLog({ source, tree, replay, landmarks, findings, onLeaf, onTile }, log))) return false
    if (!(await isSigned(run, log))) return false
  }
  return true
}

function succeed({ replay }: Run, { base }: LogRange, before: LogRange | undefined): void {
  const { state } = replay
  if (before === undefined || state.position !== base || state.base === base) return
  const { origin, end } = before
  replay.succeed({ origin, size: end.size, root: encodeBase64(end.root) })
}

/** What a leaf says is told when it is known to be signed; that it cannot be true is told at once. */
function takeLeaf(run: Run, replayed: Replayed): void {
  const { index, event, lie } = replayed
  const { findings, options, replay, tellFrom } = run
  const watched = options.watch(replayed, replay.state)
  if (watched !== undefined && event?.t === 'approve') run.approvals.push({ manifest: event.manifest, index })
  if (index < tellFrom) return
  if (lie !== undefined) findings.lie(lie)
  if (watched !== undefined) run.events.push(watched)
  if (event?.t === 'root' && event.version > 1) {
    run.alerts.push({ code: 'root-changed', index, said: `trust root ${event.version} is in force` })
  }
  if (event?.t === 'continue') {
    run.alerts.push({ code: 'log-succeeded', index, said: `${event.origin} was frozen at ${event.size}` })
  }
}

function tell({ findings, alerts, events }: Run): void {
  for (const alert of alerts.splice(0)) findings.alert(alert)
  for (const event of events.splice(0)) findings.event(event)
}

/** In the middle of a long log: what is proved to be of the signed tree need not be read again. */
async function saveBetween(run: Run, log: LogRange): Promise<void> {
  const { tree, replay, options, source } = run
  // The end is saved by the whole audit alone, when its last tiles were compared as well.
  const isBetween = tree.size < log.end.size && replay.state.position === log.base + tree.size
  if (options.onVerified === undefined || !isBetween || log.end.note === '') return
  if (!(await isConsistent(source, log, { size: tree.size, root: tree.root() }, log.end))) return
  tell(run)
  await options.onVerified(
    progressOf(
      run,
      log,
      run.marks.filter(({ isAhead }) => isAhead),
    ),
  )
}

/** Whether the entries of a log make up its signed tree, and end a batch. */
async function isSigned(run: Run, log: LogRange): Promise<boolean> {
  const { tree, replay, findings } = run
  if (!equalBytes(tree.root(), log.end.root)) {
    findings.lie(await explainRoot(run, log))
    return false
  }
  const lie = replay.state.position === log.base + log.end.size ? replay.endTree() : undefined
  if (lie !== undefined) findings.lie(lie)
  return true
}

/** Another root than the signed one: either the entries are not those of the tree, or the tree is another than before. */
async function explainRoot(run: Run, log: LogRange): Promise<Lie> {
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
  const nothing = (): Promise<void> => Promise.resolve()
  const walk = { source, tree, landmarks, findings, onLeaf: () => undefined, onTile: nothing }
  if (!(await walkLog(walk, log))) return false
  return equalBytes(tree.root(), log.end.root)
}

/** PROTOCOL 7: nothing is published without the quorum of the trust root in force there. */
async function checkPublished(run: Run): Promise<Attested | undefined> {
  const { shown, roots, findings, options } = run
  let newest: Attested | undefined
  for (const tree of [shown.checkpoint, ...(shown.status === undefined ? [] : [shown.status.tree])]) {
    const root = roots.chain.get(rootVersionAt(run, tree))
    if (root === undefined) continue
    const index = activeRange(run).base + tree.size
    const attested = await attempt(
      findings,
      index,
      () => verifyQuorum(tree.note, root),
      () => notesOf(tree),
    )
    if (attested !== undefined && attested.at >= (newest?.at ?? 0)) newest = attested
  }
  const { freshness, expiresAt, version } = roots.newest
  if (newest !== undefined && options.now / 1000 - newest.at > freshness.maxSeconds) {
    findings.alert({ code: 'stale', said: 'what is published is older than hosts accept' })
  }
  if (options.now / 1000 >= expiresAt) {
    findings.alert({ code: 'root-expired', said: `trust root ${version} expired` })
  }
  return newest
}

function rootVersionAt(run: Run, { origin, size }: SignedTree): number {
  return landmarksOf(run, origin).get(size)?.rootVersion ?? run.replay.state.rootVersion
}

function progressOf(run: Run, log: LogRange, ahead: readonly Mark[]): Progress {
  const { shown, before, replay, tree, roots, approvals } = run
  const seen = before?.seen.filter(({ origin, size }) => isWithin(run, origin, size)) ?? []
  const own = { origin: log.origin, size: tree.size, root: encodeBase64(tree.root()), note: log.end.note }
  return {
    identity: roots.newest.identity,
    origin: log.origin,
    note: log === activeRange(run) ? shown.target.note : log.end.note,
    tree: tree.document(),
    replay: documentOfReplay(replay.state),
    seen: withTree(seen, own).slice(-MAX_SEEN),
    pending: ahead
      .reduce<readonly SeenTree[]>((all, mark) => withTree(all, seenOf(mark)), [])
      .slice(-MAX_PENDING),
    approvals: [...approvals],
  }
}

/** Trees beyond the end of a frozen log are no part of the history any more. */
function isWithin({ logs }: Run, wanted: string, size: number): boolean {
  return logs.some(({ origin, end }) => origin === wanted && size <= end.size)
}

function withTree(trees: readonly SeenTree[], tree: SeenTree): SeenTree[] {
  const others = trees.filter(({ origin, size, root }) => {
    return origin !== tree.origin || size !== tree.size || root !== tree.root
  })
  return [...others, tree]
}

function seenOf({ origin, size, root, note }: Mark): SeenTree {
  return { origin, size, root: encodeBase64(root), note }
}

function summaryOf({ replay, shown, began }: Run): Audit {
  const { entries, events, namespaces, manifests, revocations } = replay.finish()
  const { origin, size, root, note } = shown.target
  return { entries, events, namespaces, manifests, revocations, origin, size, root, checkpoint: note, began }
}
