import { describe, expect, it } from 'vitest'
import { openCrashStage } from '../support/crash.js'

const KILLS = 50

describe('killed under load', () => {
  it(`${KILLS} times at random, a registry keeps every promise`, async () => {
    const stage = await openCrashStage()
    try {
      for (let kill = 1; kill <= KILLS; kill++) {
        const answers = Math.floor(Math.random() ** 3 * 400)
        const thenMs = Math.random() * 30
        await stage.liveAndDie(answers, thenMs)
        const log = await stage.settle()
        console.log(
          `kill ${kill}, ${answers} answers and ${thenMs.toFixed(1)} ms into its life: ${stage.acknowledged.length} answered, ${log.size} entries`,
        )
      }
      expect(stage.acknowledged.length).toBeGreaterThan(KILLS)
    } finally {
      await stage.remove()
    }
  })
})
