import { expect, it } from 'vitest'
import { fuzz } from '../support/fuzz/run.js'

it('answers 10 000 random requests as described, and keeps nothing of those it refuses', async () => {
  const runs = Number(process.env['FUZZ_RUNS'] ?? 10_000)
  const seed = process.env['FUZZ_SEED']
  const { sent } = await fuzz({ runs, ...(seed !== undefined && { seed: Number(seed) }) })
  expect(sent).toBe(runs)
})
