import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { alias } from './vitest.config.js'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** With other values each time; `npm test` tries the same ones always. */
const PROPERTIES = [
  'test/{core,gates}/*.test.ts',
  'test/{change/corpus,change/properties,catalogue/query,log/folded,log/revocations,pages/render}.test.ts',
]

const shared = {
  testTimeout: 3_600_000,
  hookTimeout: 600_000,
  expect: { poll: { timeout: 60_000, interval: 20 } },
  globalSetup: [at('test/support/postgres-server.ts')],
}

export default defineConfig({
  resolve: { alias },
  test: {
    reporters: ['verbose', at('test/support/reporter.ts')],
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          ...shared,
          name: 'sqlite',
          // What `npm test` samples is tried everywhere here.
          include: ['test/soak/**/*.test.ts', 'test/registry/recover-killed.test.ts', ...PROPERTIES],
          env: { EXHAUSTIVE: '1' },
        },
      },
      {
        extends: true,
        test: {
          ...shared,
          name: 'postgres',
          include: ['test/soak/fuzz.test.ts'],
          env: { TEST_ENGINE: 'postgres' },
        },
      },
    ],
  },
})
