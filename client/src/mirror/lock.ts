import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { CountersignError } from '../core/index.js'
import { takeLock } from '../node/lock.js'

const WAIT_MS = 500
const BEAT_MS = 5000

/** One run at a time writes a mirror. */
export interface MirrorLock {
  /** Asked right before readers are shown something else. @throws CountersignError `io` when it was taken over */
  readonly assertHeld: () => Promise<void>
  release(): Promise<void>
}

/**
 * Takes the lock of a mirror's folder, or that of a run that died. It is kept alive while it is held, for a run takes
 * longer than anything else that holds such a lock.
 * @throws CountersignError `io` (detail.reason `locked`) while another run holds it
 */
export async function lockMirror(out: string): Promise<MirrorLock> {
  const file = join(out, '.mirror.lock')
  try {
    const lock = await takeLock(file, WAIT_MS)
    const timer = setInterval(() => {
      const now = new Date()
      // A beat that fails leaves a lock that grows old: asserting it before each switch decides.
      utimes(file, now, now).catch(() => undefined)
    }, BEAT_MS)
    timer.unref()
    return {
      assertHeld: async () => {
        if (!(await lock.isHeld())) throw refusal(out)
      },
      async release() {
        clearInterval(timer)
        await lock.release()
      },
    }
  } catch (cause) {
    if (cause instanceof CountersignError && cause.code === 'memory-locked') throw refusal(out, cause)
    throw cause
  }
}

function refusal(out: string, cause?: unknown): CountersignError {
  const detail = { out, reason: 'locked' }
  return new CountersignError('io', 'another run writes this mirror: wait for it or end it', detail, {
    cause,
  })
}
