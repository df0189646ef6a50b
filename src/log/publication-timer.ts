import type { FreshnessLimits } from 'countersign/core'
import { FRESHNESS } from './root.js'

const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 5000
const MAX_DOUBLINGS = 16

/** How long what another process committed may wait to be published by it, and by chance as long again. */
const OVERDUE_MS = 1500

/** What is to be done next: what failed, what another process leaves undone, or the same tree with new cosignatures. */
export interface Plan {
  readonly next: 'retry' | 'overdue' | 'again'
  readonly waitMs: number
}

/** How things are when nothing is being published. */
export interface Standing {
  /** Publications in a row that failed here. */
  readonly failures: number
  /** Something is committed that is not published. */
  readonly isBehind: boolean
  /** It is looked at because of what another process committed or published. */
  readonly isAdopted: boolean
  /** After this time what is shown is too old. */
  readonly refreshMs: number
  /** How old it is. */
  readonly ageMs: () => number
}

export function planNext({ failures, isBehind, isAdopted, refreshMs, ageMs }: Standing): Plan {
  if (failures > 0 && !isAdopted) {
    const doubled = FIRST_RETRY_MS * 2 ** Math.min(failures - 1, MAX_DOUBLINGS)
    return { next: 'retry', waitMs: Math.min(LONGEST_RETRY_MS, doubled) }
  }
  if (isBehind) return { next: 'overdue', waitMs: OVERDUE_MS * (1 + Math.random()) }
  // In four fifths of its time it is cosigned again, by one process: the others come a little later, each at its own.
  const planned = refreshMs * (isAdopted ? 0.8 + Math.random() / 10 : 0.8)
  // Some of it may be over: its publisher died, and this process slept meanwhile.
  return { next: 'again', waitMs: Math.min(planned, Math.max(FIRST_RETRY_MS, planned - ageMs())) }
}

/** How long an unchanged tree may stay as it is: as promised by the trust root in force, and never longer than usual. */
export function promisedMs({ refreshSeconds, maxSeconds }: FreshnessLimits): number {
  return Math.min(refreshSeconds, maxSeconds, FRESHNESS.refreshSeconds) * 1000
}

/** The one timer of the publication loop. It keeps no process alive. */
export class PublicationTimer {
  #timer: NodeJS.Timeout | undefined
  #next: Plan['next'] | undefined
  readonly #act: (next: Plan['next']) => void

  constructor(act: (next: Plan['next']) => void) {
    this.#act = act
  }

  /** What it is set for. */
  get next(): Plan['next'] | undefined {
    return this.#next
  }

  set({ next, waitMs }: Plan): void {
    this.clear()
    this.#next = next
    this.#timer = setTimeout(() => this.#act(next), waitMs).unref()
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#next = undefined
  }
}
