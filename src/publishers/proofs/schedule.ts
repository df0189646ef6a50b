import type { ProofRow } from '../../storage/store.js'
import { checkProof } from './check.js'
import type { Context } from '../context.js'

export interface ProofChecks {
  /** Looks at every proof that is due, a bounded number of them; how many there were. */
  runOnce(): Promise<number>
  /** No further look begins; resolves when the one under way is done. */
  close(): Promise<void>
}

export interface ProofCheckOptions {
  readonly context: Context
  /** How often each proof is looked at; once a day when absent. */
  readonly everySeconds?: number | undefined
  readonly now?: () => number
  /** Told of a look that failed on our side; the next round tries again. */
  readonly log: { error(fields: { err: unknown }, message: string): void }
}

/** Rounds in the time in which each proof is due once: a registry that was down catches up soon. */
const ROUNDS = 24
/** How often a proof is looked at, where nobody says otherwise. */
export const CHECK_SECONDS = 86_400
const BATCH = 64
const MAX_BATCHES = 16
const AT_ONCE = 4
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** Looks at the proofs of domains on a schedule, a few at a time, never keeping the process alive. */
export function openProofChecks(options: ProofCheckOptions): ProofChecks {
  const { context, everySeconds = CHECK_SECONDS, now = context.now, log } = options
  const period = everySeconds * 1000
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<number> | undefined
  const onError = (err: unknown): void => log.error({ err }, 'a proof could not be looked at again')

  const round = async (): Promise<number> => {
    const before = now() - period
    let count = 0
    for (let batches = 0; batches < MAX_BATCHES && !closed; batches++) {
      const due = await context.store.claimProofsDue(before, BATCH, before + period / ROUNDS)
      const checked = await checkAll(due)
      count += checked
      // What could not be recorded is due again with the next round.
      if (due.length < BATCH || checked < due.length) break
    }
    return count
  }
  const checkAll = async (due: readonly ProofRow[]): Promise<number> => {
    const waiting = [...due]
    let checked = 0
    const work = async (): Promise<void> => {
      for (let row = waiting.shift(); row !== undefined && !closed; row = waiting.shift()) {
        await checkProof(context, row).then(() => (checked += 1), onError)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    return checked
  }
  const runOnce = (): Promise<number> => {
    running ??= round().finally(() => (running = undefined))
    return running
  }
  const schedule = (): void => {
    // Not all registries of the world ask at the full hour.
    const wait = Math.min((period / ROUNDS) * (0.75 + Math.random() / 2), MAX_TIMEOUT_MS)
    timer = setTimeout(
      () =>
        void runOnce()
          .catch(onError)
          .then(() => (closed ? undefined : schedule())),
      wait,
    )
    timer.unref()
  }
  schedule()
  return {
    runOnce,
    async close() {
      closed = true
      clearTimeout(timer)
      await running?.catch(onError)
    },
  }
}
