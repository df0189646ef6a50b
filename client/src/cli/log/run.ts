import { decodeBase64, equalBytes, findLog, refuse, type TrustRoot } from '../../core/index.js'
import type { AuditOptions } from './audit.js'
import { attempt, type Findings } from './findings.js'
import type { Held } from './held.js'
import { lieAt, type Alert } from './lie.js'
import { marksOf, sampleSize, type Mark } from './marks.js'
import { openOwnTree, type OwnTree } from './own-tree.js'
import type { Approval, Progress } from './progress.js'
import { stateOfDocument } from './replay-text.js'
import { openReplay, type Replay } from './replay.js'
import type { Roots } from './roots.js'
import { openSigned, readKept, type Shown, type SignedTree } from './shown.js'
import type { LogSource } from './source.js'
import { notesOf, type Landmark, type Landmarks, type LogRange } from './walk.js'
import type { WatchedEvent } from './watch.js'

/** One audit while it runs. */
export interface Run {
  readonly options: AuditOptions
  readonly source: LogSource
  readonly findings: Findings
  readonly shown: Shown
  readonly roots: Roots
  readonly logs: readonly LogRange[]
  /** The log to begin in. */
  readonly first: number
  readonly replay: Replay
  readonly before: Progress | undefined
  readonly marks: readonly Mark[]
  /** A size of the last log, where the proof route is tried. */
  readonly sample: number | undefined
  readonly held: Held
  /** Position from which on events are told, and lies. */
  readonly tellFrom: number
  readonly liesFrom: number
  /** Whether what is shown is as new as what was seen. */
  readonly isAhead: boolean
  /** Position at which the replay began, and the roots that were logged before it. */
  readonly began: number
  readonly rootsBefore: readonly (readonly [number, string])[]
  /** Found in entries that are not known to be signed yet. */
  readonly events: WatchedEvent[]
  readonly alerts: Alert[]
  readonly approvals: Approval[]
  /** Our own roots by log and size. */
  readonly landmarks: Map<string, Landmarks>
  /** The tree of the log that is being read. */
  tree: OwnTree
}

/** Where to begin, in which log, and what to compare on the way. */
export async function openRun(options: AuditOptions, shown: Shown, held: Held): Promise<Run> {
  const { source, findings, tiles } = options
  const { roots } = shown
  const logs = await openLogs(options, shown)
  const { resumed, cut, isAhead } = findStart(options, shown, logs)
  const replay = openResumed(roots, resumed)
  const readAll = resumed === undefined || tiles === 'all'
  const tree = openOwnTree(readAll ? undefined : resumed.tree)
  const active = logs.at(-1)?.origin
  const tellFrom = Math.max(cut ?? 0, options.from ?? 0)
  const run: Run = {
    ...{ options, source, findings, shown, roots, logs, replay, before: options.progress, isAhead, tree },
    first: readAll ? 0 : logs.findIndex(({ origin }) => origin === resumed.origin),
    marks: marksOf(options, shown),
    sample: sampleSize(resumed?.origin === active ? tree.size : 0, shown.target.size),
    held,
    tellFrom,
    // Whoever watches named a place for events; a lie that no run before could tell is told wherever it stands.
    liesFrom:
      options.onVerified === undefined
        ? tellFrom
        : Math.min(tellFrom, cut ?? options.progress?.replay.position ?? 0),
    began: replay.state.position,
    rootsBefore: [...replay.state.roots],
    events: [],
    alerts: [],
    approvals: [...(resumed?.approvals ?? [])],
    landmarks: new Map(),
  }
  for (const { origin, size } of run.marks) landmarksOf(run, origin).set(size, undefined)
  if (run.sample === undefined) return { ...run, sample: sampleSeen(run, shown.target) }
  landmarksOf(run, shown.target.origin).set(run.sample, undefined)
  return run
}

/** Where nothing grew, the proof route is tried with a tree that was seen before. */
function sampleSeen(run: Run, target: SignedTree): number | undefined {
  const all = run.before?.seen.filter(({ origin, size }) => origin === target.origin && size < target.size)
  const known = all?.[sampleSize(0, all.length) ?? 0]
  if (known === undefined) return undefined
  const landmarks = landmarksOf(run, known.origin)
  if (landmarks.get(known.size) === undefined) landmarks.set(known.size, { root: decodeBase64(known.root) })
  return known.size
}

function openResumed({ newest, digests, people }: Roots, resumed: Progress | undefined): Replay {
  const known = { registry: newest.identity, rootDigests: digests, rootPeople: people }
  const state = resumed && stateOfDocument(resumed.replay, known)
  return openReplay(newest.identity, digests, people, state)
}

export function landmarksOf({ landmarks }: Pick<Run, 'landmarks'>, origin: string): Landmarks {
  const known: Landmarks = landmarks.get(origin) ?? new Map<number, Landmark | undefined>()
  landmarks.set(origin, known)
  return known
}

/** Every log of the identity, in order of succession; a frozen one ends where its trust root froze it. */
async function openLogs({ source, findings }: AuditOptions, { roots, target }: Shown): Promise<LogRange[]> {
  const { newest } = roots
  const logs: LogRange[] = []
  for (const [i, { origin }] of newest.logs.entries()) {
    const { base, final } = findLog(newest, origin) ?? refuse('root-malformed', 'a log without a place')
    if (final === undefined) {
      logs.push({ origin, base, end: target })
      continue
    }
    const number = i + 1
    const frozen = { origin, number, base, final }
    const note = await attempt(
      findings,
      base + final.size,
      () => fetchFrozenNote(source, newest, frozen),
      () => ({ root: newest.note }),
    )
    logs.push({ origin, number, base, end: { ...final, note: note ?? '' } })
  }
  return logs
}

interface FrozenLog {
  readonly origin: string
  readonly number: number
  readonly final: { readonly size: number; readonly root: Uint8Array }
}

/** The last note of a frozen log is of exactly the tree that the trust root froze. */
async function fetchFrozenNote(
  source: LogSource,
  root: TrustRoot,
  { origin, number, final }: FrozenLog,
): Promise<string> {
  const note = await source.frozenNote(number)
  const key = root.logVerifiers.get(origin) ?? refuse('root-malformed', `${origin} has no key`)
  const signed = openSigned(note, { origin, key })
  if (signed.size === final.size && equalBytes(signed.root, final.root)) return note
  return refuse(
    'checkpoint-invalid',
    `${origin} was frozen at ${final.size}, and its last note is of another tree`,
    {
      note,
    },
  )
}

interface Start {
  /** What to go on from; absent: from the first entry. */
  readonly resumed?: Progress
  /** Position at which entries that were seen were cut off. */
  readonly cut?: number
  readonly isAhead: boolean
}

/** Where to go on, and whether there is anything to go on with. */
function findStart(
  { progress, findings, from }: AuditOptions,
  { target }: Shown,
  logs: readonly LogRange[],
): Start {
  if (progress === undefined) return { isAhead: true }
  const log = logs.find(({ origin }) => origin === progress.origin)
  const kept = readKept(progress.note)
  const seen = Math.max(progress.tree.size, kept.size)
  if (log === undefined) {
    const said = `the registry no longer names the log ${progress.origin}`
    findings.lie(lieAt(progress.replay.position, 'rollback', said, notesOf(kept, target)))
    return { isAhead: false }
  }
  // That what is shown lies behind what was seen was said when it was shown.
  if (log.end.size < seen && log.number === undefined) return { isAhead: false }
  if (log.end.size < seen) {
    const cut = log.base + log.end.size
    const said = `${log.origin} was frozen at ${log.end.size}: ${seen - log.end.size} entries that were seen are cut off`
    findings.alert({ code: 'log-cut', index: cut, said, documents: notesOf(kept, log.end) })
    return { cut, isAhead: true }
  }
  const isLater = from === undefined || from >= progress.replay.position
  return isLater ? { resumed: progress, isAhead: true } : { isAhead: true }
}
