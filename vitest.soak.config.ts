import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { alias } from './vitest.config.js'

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['test/soak/**/*.test.ts'],
    reporters: ['verbose', fileURLToPath(new URL('test/support/reporter.ts', import.meta.url))],
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
  },
})
