import type { Findings } from './findings.js'

/**
 * What an audit found, until it is known that the log did not end while it was read: what its successor serves at the
 * same places are no lies about it.
 */
export interface Held {
  readonly findings: Findings
  /** How many lies wait. */
  readonly lies: number
  /** Whether there was any lie in this audit. */
  readonly hasLied: boolean
  /** Says what waits, in the order in which it was found. */
  tell(): void
  drop(): void
}

export function holdFindings(told: Findings): Held {
  let waiting: (() => void)[] = []
  let lies = 0
  let hasLied = false
  return {
    findings: {
      lie(found) {
        lies += 1
        hasLied = true
        waiting.push(() => told.lie(found))
      },
      alert: (found) => void waiting.push(() => told.alert(found)),
      event: (found) => void waiting.push(() => told.event(found)),
    },
    get lies() {
      return lies
    },
    get hasLied() {
      return hasLied
    },
    tell() {
      const all = waiting
      this.drop()
      for (const say of all) say()
    },
    drop() {
      waiting = []
      lies = 0
    },
  }
}

/** The log that is being read ended: its root froze it, and another one is served in its place. */
export class Succeeded extends Error {
  override readonly name = 'Succeeded'
}
