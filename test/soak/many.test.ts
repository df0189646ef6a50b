import { describe, expect, it } from 'vitest'
import { openManyStage, type Blow } from '../support/many-stage.js'

const ROUNDS = Number(process.env['SOAK_ROUNDS'] ?? 60)
const BLOWS: readonly Blow[] = ['killed', 'stopped', 'cut-off']
/** Longer than a silent transaction may have the row: the others take over meanwhile. */
const LONG_STOP_MS = 15_000
const LONG_EVERY = Math.min(12, ROUNDS)

describe.each([2, 4])('%i registry processes over one PostgreSQL, for long', (count) => {
  it(`keep every promise through ${ROUNDS} blows at random`, async () => {
    const stage = await openManyStage(count)
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        const isLong = round % LONG_EVERY === 0
        const blow = isLong ? 'stopped' : BLOWS[Math.floor(Math.random() * BLOWS.length)]!
        const forMs = isLong ? LONG_STOP_MS : Math.random() * 2000
        await stage.round({ blow, beforeMs: 200 + Math.random() * 1500, forMs })
        const { acknowledged, unanswered, refused } = stage
        console.log(
          `round ${round}, ${blow}: ${acknowledged.length} answered, ${unanswered.length} cut off, ` +
            `${refused} told to come again`,
        )
        if (round % 10 === 0) await stage.settle()
      }
      expect((await stage.settle()).size).toBeGreaterThan(ROUNDS)
    } finally {
      await stage.remove()
    }
  })
})
