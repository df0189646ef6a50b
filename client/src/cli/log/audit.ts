import { activeLog, CountersignError, encodeBase64, equalBytes } from '../../core/index.js'
import { explainRoot } from './explain.js'
import type { Findings } from './findings.js'
import { holdFindings, Succeeded } from './held.js'
import { checkSample, compareMarks, findForks, type Seen } from './marks.js'
import { openOwnTree } from './own-tree.js'
import type { Progress } from './progress.js'
import { checkPublished } from './published.js'
import type { Replayed, ReplaySummary } from './replay.js'
import { fetchNewerRoots, openRoots, type Pinned } from './roots.js'
import { landmarksOf, openRun, type Run } from './run.js'
import { activeRange, keepShown, progressOf, saveBetween, tell } from './save.js'
import { checkServed } from './served.js'
import { fetchShown, readKept, type Attested, type Shown } from './shown.js'
import type { LogSource } from './source.js'
import { walkLog, type LogRange } from './walk.js'
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
/** Lies that wait at most for the log to be asked whether it ended. */
const MAX_HELD = 1000
const WAIT_MS = 2000

/**
 * Audits a log: reads what is shown, goes on where the last audit ended, replays every log up to its signed tree, compares
 * what was shown with that, and what lies beside the tree. Everything that cannot be true goes to the findings. A log that
 * ends meanwhile is audited anew, as what it is then.
 * @throws CountersignError `registry-unreachable`; `checkpoint-invalid` for a checkpoint nobody signed
 */
export async function auditLog(options: AuditOptions): Promise<Audit> {
  let { progress } = options
  const onVerified = async (next: Progress): Promise<void> => {
    progress = next
    await options.onVerified?.(next)
  }
  for (let tries = 1; ; tries++) {
    const going = { ...options, progress, ...(options.onVerified && { onVerified }) }
    try {
      return await auditOnce(going, tries < MAX_SUCCESSIONS)
    } catch (error) {
      if (!(error instanceof Succeeded)) throw error
    }
  }
}

/** How often a log may end while it is read: nobody is kept busy for ever. */
const MAX_SUCCESSIONS = 3

async function auditOnce(options: AuditOptions, mayAgain: boolean): Promise<Audit> {
  const { source, pinned, findings, signal, waitMs = WAIT_MS } = options
  const shown = await fetchShown(source, pinned, findings, { waitMs, signal, seen: newestSeen(options) })
  const held = holdFindings(findings)
  try {
    const run = await openRun({ ...options, findings: held.findings }, shown, held)
    const settle = async (): Promise<void> => {
      if (held.lies > 0 && mayAgain && (await isSucceeded(options, shown))) {
        held.drop()
        throw new Succeeded()
      }
      held.tell()
    }
    return await auditShown(run, settle)
  } finally {
    held.tell()
  }
}

async function auditShown(run: Run, settle: () => Promise<void>): Promise<Audit> {
  const { source, findings, shown, replay, rootsBefore, approvals, options } = run
  for (const lie of findForks(run.marks, activeRange(run))) findings.lie(lie)
  await keepShown(run)
  if (!run.isAhead || !(await readLogs(run, settle))) {
    await settle()
    return summaryOf(run)
  }
  const ahead = await compareMarks(run)
  await checkSample(run, activeRange(run), run.sample)
  const attested = await checkPublished(run)
  await checkServed({
    ...{ source, findings, shown, state: replay.state, rootsBefore, approvals },
    watch: options.watch,
  })
  await settle()
  approvals.length = 0
  tell(run)
  run.held.tell()
  const next = progressOf(run, activeRange(run), ahead)
  await options.onVerified?.(next)
  return { ...summaryOf(run), ...(attested && { attested }), progress: next }
}

/** Whether another log became the active one since. */
async function isSucceeded({ source, pinned }: AuditOptions, { roots }: Shown): Promise<boolean> {
  try {
    const again = openRoots(pinned)
    await fetchNewerRoots(source, pinned, again)
    return activeLog(again.newest).origin !== activeLog(roots.newest).origin
  } catch (error) {
    // Nobody says so: then what was found stands.
    if (error instanceof CountersignError && error.code === 'registry-unreachable') return false
    throw error
  }
}

/** What a log must not go back behind. */
function newestSeen({ progress, remembered }: Seen) {
  const trees = [...(progress?.seen ?? []), ...(remembered === undefined ? [] : [remembered])]
  const seen = trees.map(({ origin, size, note = '' }) => ({ origin, size, note }))
  return progress === undefined ? seen : [readKept(progress.note), ...seen]
}

/** Every log from where the last audit ended; whether all of them are what was signed. */
async function readLogs(run: Run, settle: () => Promise<void>): Promise<boolean> {
  for (const [i, log] of run.logs.entries()) {
    if (i < run.first) continue
    if (i > run.first) run.tree = openOwnTree()
    succeed(run, log, run.logs[i - 1])
    let tiles = 0
    const onTile = async (): Promise<boolean> => {
      run.options.onProgress?.(log.base + run.tree.size, log.base + log.end.size)
      if (run.held.lies >= MAX_HELD) await settle()
      return ++tiles % (run.options.saveEvery ?? SAVE_EVERY) !== 0 || saveBetween(run, log)
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
  const watched = options.watch.pick(replayed, replay.state)
  const mayBeOwn = event !== undefined && options.watch.mayBeOwn(event, replay.state)
  if (event?.t === 'approve' && (watched !== undefined || mayBeOwn))
    run.approvals.push({ manifest: event.manifest, index })
  if (lie !== undefined && index >= run.liesFrom) findings.lie(lie)
  if (index < tellFrom) return
  if (watched !== undefined) run.events.push(watched)
  if (event?.t === 'root' && event.version > 1) {
    run.alerts.push({ code: 'root-changed', index, said: `trust root ${event.version} is in force` })
  }
  if (event?.t === 'continue') {
    run.alerts.push({ code: 'log-succeeded', index, said: `${event.origin} was frozen at ${event.size}` })
  }
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

function summaryOf({ replay, shown, began }: Run): Audit {
  const { entries, events, namespaces, manifests, revocations } = replay.finish()
  const { origin, size, root, note } = shown.target
  return { entries, events, namespaces, manifests, revocations, origin, size, root, checkpoint: note, began }
}
