import { describe, expect, it } from 'vitest'
import { openManyStage, type Round } from '../support/many-stage.js'

const ROUNDS: readonly Round[] = [
  { blow: 'killed', beforeMs: 300, forMs: 0 },
  { blow: 'stopped', beforeMs: 200, forMs: 400 },
  { blow: 'cut-off', beforeMs: 300, forMs: 0 },
]

describe.each([2, 4])('%i registry processes over one PostgreSQL, under load', (count) => {
  it('are killed, stopped and cut off, and keep every promise', { timeout: 900_000 }, async () => {
    const stage = await openManyStage(count)
    try {
      for (const round of ROUNDS) await stage.round(round)
      const log = await stage.settle()
      const { acknowledged, unanswered, refused, seen } = stage
      console.log(
        `${count} processes: ${acknowledged.length} publishes answered, ${unanswered.length} cut off, ` +
          `${refused} told to come again, ${seen.length} checkpoints shown, ${log.size} entries`,
      )
      expect(acknowledged.length).toBeGreaterThan(0)
      expect(log.size).toBeGreaterThan(acknowledged.length)
    } finally {
      await stage.remove()
    }
  })
})
