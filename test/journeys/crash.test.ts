import { describe, expect, it } from 'vitest'
import { openCrashStage } from '../support/crash.js'

describe('killed under load', () => {
  it('five times, a registry keeps every promise', { timeout: 180_000 }, async () => {
    const stage = await openCrashStage()
    try {
      for (const answers of [40, 1, 90, 0, 25]) await stage.liveAndDie(answers, answers / 10)
      const log = await stage.settle()
      const { acknowledged, unanswered, seen } = stage
      console.log(
        `crash: ${acknowledged.length} publishes answered, ${unanswered.length} cut off, ` +
          `${seen.length} checkpoints shown, ${log.size} entries`,
      )
      expect(acknowledged.length).toBeGreaterThanOrEqual(156)
      expect(unanswered.length).toBeGreaterThan(0)
      expect(log.size).toBeGreaterThan(acknowledged.length)
    } finally {
      await stage.remove()
    }
  })
})
