import { describe, expect, it } from 'vitest'
import { openCrashStage } from '../support/crash-stage.js'

const KILLS = 100
/** Now and then a witness is killed in the same life, and the copy of a life before is put in its place. */
const EVERY = 5

describe.each([
  ['without witnesses', false],
  ['with two witnesses', true],
])('killed under load, %s', (_, witnesses) => {
  it(`${KILLS} times at random, a registry keeps every promise`, async () => {
    const stage = await openCrashStage({ witnesses })
    try {
      for (let kill = 1; kill <= KILLS; kill++) {
        // The life after a copy was taken makes that copy an old one.
        const least = kill % EVERY === 1 ? 20 : 0
        const answers = Math.max(least, Math.floor(Math.random() ** 3 * 400))
        const thenMs = Math.random() * 30
        const isSpecial = kill % EVERY === 0
        const { size, publishedSize } = await stage.live({ answers, thenMs, killsWitness: isSpecial })
        console.log(
          `kill ${kill}, ${answers} answers and ${thenMs.toFixed(1)} ms into its life: ` +
            `${stage.acknowledged.length} answered, ${publishedSize} of ${size} entries published`,
        )
        if (kill % EVERY === 1 && kill > 1) await stage.assertBackupRefused()
        if (isSpecial) await stage.backup()
        if (isSpecial) await stage.settle()
      }
      expect(stage.acknowledged.length).toBeGreaterThan(KILLS)
    } finally {
      await stage.remove()
    }
  })
})
