import { describe, expect, it } from 'vitest'
import { openCrashStage } from '../support/crash-stage.js'

describe.each([
  ['without witnesses', false],
  ['with two witnesses', true],
])('killed under load, %s', (_, witnesses) => {
  it('five times, a registry keeps every promise', { timeout: 900_000 }, async () => {
    const stage = await openCrashStage({ witnesses })
    try {
      for (const answers of [40, 1, 90, 0]) {
        await stage.live({ answers, thenMs: answers / 10, killsWitness: answers === 90 })
        if (answers === 1) await stage.backup()
      }
      const { size, publishedSize } = await stage.live({ answers: 25, thenMs: 2.5 })
      const { acknowledged, unanswered, seen } = stage
      console.log(
        `crash: ${acknowledged.length} publishes answered, ${unanswered.length} cut off, ` +
          `${seen.length} checkpoints shown, ${publishedSize} of ${size} entries published`,
      )
      await stage.assertBackupRefused()
      const log = await stage.settle()
      expect(acknowledged.length).toBeGreaterThanOrEqual(156)
      expect(unanswered.length).toBeGreaterThan(0)
      expect(log.size).toBeGreaterThan(acknowledged.length)
    } finally {
      await stage.remove()
    }
  })
})
