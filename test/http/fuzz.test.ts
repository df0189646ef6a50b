import { expect, it } from 'vitest'
import { fuzz } from '../support/fuzz/run.js'

// The same requests each time, on each engine; `npm run soak` sends others, and many more.
const SEED = 20_261_122

it('answers 300 requests from the description as described, and keeps nothing of those it refuses', async () => {
  const { sent, refused, accepted } = await fuzz({ runs: 300, seed: SEED })
  expect(sent).toBe(300)
  // It tries both sides of the door.
  expect(refused).toBeGreaterThan(50)
  expect(accepted).toBeGreaterThan(50)
}, 600_000)
