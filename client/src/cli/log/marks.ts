import { decodeBase64, equalBytes, randomBytes } from '../../core/index.js'
import { attempt, type Findings } from './findings.js'
import { lieAt, type Lie } from './lie.js'
import type { Progress, SeenTree } from './progress.js'
import { readKept, type Shown, type SignedTree } from './shown.js'
import type { LogSource } from './source.js'
import { checkConsistency, notesOf, type Landmark, type Landmarks, type LogRange } from './walk.js'

/** A tree that must be a prefix of the log, and who says so. */
export interface Mark extends SignedTree {
  readonly name: string
  /** Signed, and not published when it was seen: it may be larger than what is. */
  readonly isAhead?: true
  /** An earlier audit found it within the log: it is compared again where its place is read again. */
  readonly isKnown?: true
}

/** Every tree that was shown, now or before. */
export function marksOf(
  { progress, remembered }: Seen,
  { checkpoint, status, committed, earlier }: Shown,
): Mark[] {
  const denials = status?.denials?.tree
  const kept = (trees: readonly SeenTree[] = [], rest: Pick<Mark, 'name' | 'isAhead' | 'isKnown'>): Mark[] =>
    trees.map(({ origin, size, root, note = '' }) => ({
      origin,
      size,
      root: decodeBase64(root),
      note,
      ...rest,
    }))
  return [
    { ...checkpoint, name: 'the checkpoint' },
    ...(status === undefined ? [] : [{ ...status.tree, name: 'the status' }]),
    ...(denials === undefined
      ? []
      : [{ ...denials, name: 'the tree of the denials', isAhead: true } as const]),
    ...(committed === undefined
      ? []
      : [{ ...committed, name: 'the committed tree', isAhead: true } as const]),
    ...earlier.map((tree) => ({ ...tree, name: 'what was shown a moment before' })),
    ...(progress === undefined ? [] : [{ ...readKept(progress.note), ...KNOWN }]),
    ...kept(progress?.seen, KNOWN),
    ...kept(progress?.pending, { name: 'a committed tree that was seen before', isAhead: true }),
    ...kept(remembered === undefined ? [] : [remembered], { name: 'what this host saw' }),
  ]
}

const KNOWN = { name: 'what was seen before', isKnown: true } as const

/** What was seen before this audit. */
export interface Seen {
  /** Where an earlier audit stopped. */
  readonly progress?: Progress | undefined
  /** What a host remembers of this log. */
  readonly remembered?: SeenTree | undefined
}

export interface Comparison {
  readonly source: LogSource
  readonly findings: Findings
  readonly logs: readonly LogRange[]
  readonly marks: readonly Mark[]
  readonly landmarks: ReadonlyMap<string, Landmarks>
}

/** Of one size there is one tree, however far beyond what is published: two signed notes say it by themselves. */
export function findForks(marks: readonly Mark[], log: LogRange): Lie[] {
  const first = new Map<number, Mark>()
  return marks.flatMap((mark) => {
    // What is not larger is compared with the log itself.
    if (mark.origin !== log.origin || mark.size <= log.end.size) return []
    const other = first.get(mark.size) ?? mark
    first.set(mark.size, other)
    if (equalBytes(other.root, mark.root)) return []
    const said = `${mark.name} is another tree of size ${mark.size} than ${other.name}`
    return [lieAt(log.base + mark.size, 'equivocation', said, notesOf(other, mark))]
  })
}

/**
 * Compares every tree that was shown with our own of that size.
 * @returns the trees that are larger than what is published, and were signed all the same
 */
export async function compareMarks(comparison: Comparison): Promise<Mark[]> {
  const ahead: Mark[] = []
  for (const mark of comparison.marks) {
    const log = comparison.logs.find(({ origin }) => origin === mark.origin)
    if (log === undefined) continue
    if (mark.size <= log.end.size) await compareMark(comparison, log, mark)
    // Beyond the end of a frozen log it was cut off, as the trust root says; beyond an active one it was told of before.
    else if (log.number === undefined && mark.isAhead) ahead.push(mark)
  }
  return ahead
}

async function compareMark(
  { source, findings, landmarks }: Comparison,
  log: LogRange,
  mark: Mark,
): Promise<void> {
  const own = landmarks.get(mark.origin)?.get(mark.size)
  const index = log.base + mark.size
  if (own === undefined) {
    if (mark.isKnown) return
    // It lies before the place where reading began: only a proof says what the tree was there.
    await attempt(
      findings,
      index,
      () => checkConsistency(source, log, mark, log.end),
      () => notesOf(mark, log.end),
    )
  } else if (!equalBytes(own.root, mark.root)) {
    const said = `${mark.name} is another tree of size ${mark.size} than the log that is served`
    findings.lie(lieAt(index, 'equivocation', said, notesOf(mark, log.end)))
  }
}

/** A size between two others, chosen so that nobody can know which: for a proof to be asked for. */
export function sampleSize(from: number, to: number): number | undefined {
  const span = to - from
  if (span < 1) return undefined
  const [a = 0, b = 0, c = 0, d = 0] = randomBytes(4)
  return from + ((((a * 256 + b) * 256 + c) * 256 + d) % span)
}

/** The consistency route proves what is true of our own trees. */
export async function checkSample(
  { source, findings, landmarks }: Comparison,
  log: LogRange,
  size: number | undefined,
): Promise<void> {
  const own: Landmark | undefined = size === undefined ? undefined : landmarks.get(log.origin)?.get(size)
  if (own === undefined || size === undefined || size === 0) return
  await attempt(
    findings,
    log.base + size,
    () => checkConsistency(source, log, { size, root: own.root }, log.end),
    () => notesOf(log.end),
  )
}
