import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Tests import the sources; processes they start run the build that `pretest` brings up to date. */
export const alias = [
  { find: /^countersign$/, replacement: at('client/src/index.ts') },
  { find: /^countersign\/(change|verify)$/, replacement: at('client/src/$1.ts') },
  { find: /^countersign\/(core|gates|node|publish)$/, replacement: at('client/src/$1/index.ts') },
]

/** What is run once more with PostgreSQL behind the same tests: the API and the rooms behind it. */
const ON_BOTH_ENGINES = [
  'test/http/{events,fuzz,idempotency,limits-shared,openapi-journey,pending,seen,shutdown,static,unpublished}*.test.ts',
  'test/http/matrix/*.test.ts',
  'test/publish/**/*.test.ts',
  'test/publishers/**/*.test.ts',
  'test/review/**/*.test.ts',
  'test/webhooks/**/*.test.ts',
  'test/auth/*-registry.test.ts',
  'test/auth/accounts-routes.test.ts',
  'test/catalogue/**/*.test.ts',
]

/** These put something else in the place of a module. */
const ALONE = ['test/registry/recover-killed.test.ts', 'test/registry/files.test.ts']

const shared = {
  // Files of one worker share what they import: to load the sources anew for each takes as long as most of them run.
  isolate: false,
  // How soon is nobody's promise: what is waited for has as long as a machine under full load may need.
  testTimeout: 180_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 60_000, interval: 20 } },
  globalSetup: [at('test/support/scratch.ts'), at('test/support/postgres-server.ts')],
  setupFiles: [at('test/support/seed.ts')],
}

export default defineConfig({
  resolve: { alias },
  test: {
    // Where nobody watches a failed test gets a second try, and the last lines of the run name it.
    retry: process.env['CI'] === undefined ? 0 : 1,
    reporters: ['default', at('test/support/reporter.ts')],
    // Most tests wait for processes, disks and timers: two of them leave a core idle.
    maxWorkers: 3,
    // PostgreSQL ends, and its folders go.
    teardownTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          ...shared,
          name: 'sqlite',
          include: ['test/**/*.test.ts'],
          exclude: ['test/soak/**', ...ALONE],
        },
      },
      { extends: true, test: { ...shared, name: 'alone', include: ALONE, isolate: true } },
      {
        extends: true,
        test: { ...shared, name: 'postgres', include: ON_BOTH_ENGINES, env: { TEST_ENGINE: 'postgres' } },
      },
    ],
  },
})
