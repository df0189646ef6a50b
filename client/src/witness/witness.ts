import {
  formatCheckpointBody,
  formatNote,
  sha256HexOfText,
  type Cosigner,
  type PinnedLog,
} from '../core/index.js'
import { assertExtends, assertKnown, assertSizes, conflict, timeToSign } from './checks.js'
import { indexLogs } from './logs.js'
import { decline, WitnessRefusal } from './refusal.js'
import { openSubmission, parseSubmission, type SignedCheckpoint } from './request.js'
import type { KnownCheckpoint, WitnessStore } from './store.js'

/** Something an operator wants to see. */
export type WitnessEvent =
  /** A log grew, or was cosigned for the first time. */
  | { readonly kind: 'cosigned'; readonly origin: string; readonly from: number; readonly size: number }
  /** A log signed two histories: both notes, the first with our cosignature, as evidence. */
  | { readonly kind: 'fork'; readonly origin: string; readonly known: string; readonly refused: string }
  /** The clock is far behind a time that was signed: nothing of this log is cosigned until it is not. */
  | { readonly kind: 'clock-behind'; readonly origin: string }
  /** The witness stopped: it does not know what it has on disk. */
  | { readonly kind: 'failed'; readonly error: Error }

export interface WitnessParts {
  readonly cosigner: Cosigner
  readonly logs: readonly PinnedLog[]
  readonly store: WitnessStore
  /** POSIX seconds. */
  readonly now: () => number
  readonly report: (event: WitnessEvent) => void
}

/** Of one log: none of them can spend what another one's fork is told with. */
const MAX_FORKS_TOLD = 100

/** The witness without its door. */
export interface Witness {
  /**
   * Cosigns the checkpoint of a request of `add-checkpoint` and returns its own signature line, LF included.
   * Throws WitnessRefusal; whatever else it throws comes from the store, and is the end.
   */
  addCheckpoint(body: Uint8Array): Promise<string>
  /** The newest note cosigned for the log whose origin has this SHA-256, in hex; undefined when there is none. */
  checkpoint(originHash: string): Promise<string | undefined>
  logs(): readonly PinnedLog[]
  /** Replaces the logs; what is known of any log stays. Throws `policy-malformed`, and then changes nothing. */
  setLogs(logs: readonly PinnedLog[]): void
}

export function makeWitness({ cosigner, logs, store, now, report }: WitnessParts): Witness {
  let known = indexLogs(cosigner.key, logs)
  let hashes = hashOrigins(known)
  const told = new Map<string, Set<string>>()
  const isLate = new Set<string>()
  let broken: Error | undefined
  return {
    addCheckpoint,
    checkpoint: async (originHash) => {
      const origin = hashes.get(originHash)
      return origin === undefined ? undefined : (await store.read(origin))?.note
    },
    logs: () => [...known.values()],
    setLogs: (next) => {
      known = indexLogs(cosigner.key, next)
      hashes = hashOrigins(known)
    },
  }

  // tlog-witness, add-checkpoint. The order of the checks is the order in which a log learns what is wrong.
  async function addCheckpoint(body: Uint8Array): Promise<string> {
    const submission = parseSubmission(body)
    const log = known.get(submission.origin) ?? decline('log-unknown', 'unknown log')
    const signed = openSubmission(submission, log)
    assertSizes(submission, signed.checkpoint)
    const before = await store.read(log.origin)
    assertKnown(submission, before)
    reportingForks(before, signed, () => assertExtends(submission, before, signed.checkpoint))
    const { line, next } = cosign(signed, timeFor(log.origin, before))
    // Whoever comes second finds another size there; the line made here is forgotten, and nobody has seen it.
    if (!(await advance(log.origin, before, next))) conflict((await store.read(log.origin))?.size ?? 0)
    if (before?.size !== next.size)
      report({ kind: 'cosigned', origin: log.origin, from: before?.size ?? 0, size: next.size })
    return `${line}\n`
  }

  /** Whether a change is on disk may not be known: nothing is signed upon that, by this process. */
  async function advance(
    origin: string,
    before: KnownCheckpoint | undefined,
    next: KnownCheckpoint,
  ): Promise<boolean> {
    if (broken !== undefined) throw broken
    try {
      return await store.advance(origin, before, next)
    } catch (error) {
      broken ??= error instanceof Error ? error : new Error('the store failed', { cause: error })
      throw broken
    }
  }

  /** Signs the text made from what was parsed, and keeps the log's own line beside it: no other line. */
  function cosign(
    { checkpoint, line: logLine }: SignedCheckpoint,
    time: number,
  ): { line: string; next: KnownCheckpoint } {
    const body = formatCheckpointBody(checkpoint)
    const line = cosigner.cosign(body, time)
    const { size, root } = checkpoint
    return { line, next: { size, root, note: formatNote(body, [logLine, line]) } }
  }

  function timeFor(origin: string, before: KnownCheckpoint | undefined): number {
    try {
      const time = timeToSign(before, cosigner.key, now())
      isLate.delete(origin)
      return time
    } catch (error) {
      if (error instanceof WitnessRefusal && !isLate.has(origin)) {
        isLate.add(origin)
        report({ kind: 'clock-behind', origin })
      }
      throw error
    }
  }

  function reportingForks(
    before: KnownCheckpoint | undefined,
    { checkpoint, line }: SignedCheckpoint,
    check: () => void,
  ): void {
    try {
      check()
    } catch (error) {
      const isFork = error instanceof WitnessRefusal && error.code === 'root-conflict'
      if (before !== undefined && isFork) reportFork(before, formatCheckpointBody(checkpoint), line)
      throw error
    }
  }

  /** Once each: whoever has a note can send it again for ever. */
  function reportFork(known: KnownCheckpoint, body: string, line: string): void {
    const [origin = ''] = body.split('\n')
    const before = told.get(origin) ?? new Set()
    told.set(origin, before)
    if (before.has(body) || before.size >= MAX_FORKS_TOLD) return
    before.add(body)
    report({ kind: 'fork', origin, known: known.note, refused: formatNote(body, [line]) })
  }
}

/** By the name the monitoring address has for a log. */
function hashOrigins(logs: ReadonlyMap<string, PinnedLog>): ReadonlyMap<string, string> {
  return new Map([...logs.keys()].map((origin) => [sha256HexOfText(origin), origin]))
}
