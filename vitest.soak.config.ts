import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { alias } from './vitest.config.js'

export default defineConfig({
  resolve: { alias },
  test: {
    // What `npm test` samples is tried everywhere here.
    include: ['test/soak/**/*.test.ts', 'test/registry/recover-killed.test.ts'],
    env: { EXHAUSTIVE: '1' },
    globalSetup: [fileURLToPath(new URL('test/support/postgres-server.ts', import.meta.url))],
    reporters: ['verbose', fileURLToPath(new URL('test/support/reporter.ts', import.meta.url))],
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
  },
})
