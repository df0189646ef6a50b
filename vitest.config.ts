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
  'test/http/**/*.test.ts',
  'test/publish/**/*.test.ts',
  'test/publishers/**/*.test.ts',
  'test/review/**/*.test.ts',
  'test/webhooks/**/*.test.ts',
  'test/auth/*-registry.test.ts',
  'test/auth/accounts-routes.test.ts',
]

const shared = {
  testTimeout: 60_000,
  hookTimeout: 60_000,
  globalSetup: [at('test/support/postgres-server.ts')],
}

export default defineConfig({
  resolve: { alias },
  test: {
    reporters: ['default', at('test/support/reporter.ts')],
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { ...shared, name: 'sqlite', include: ['test/**/*.test.ts'], exclude: ['test/soak/**'] },
      },
      {
        extends: true,
        test: { ...shared, name: 'postgres', include: ON_BOTH_ENGINES, env: { TEST_ENGINE: 'postgres' } },
      },
    ],
  },
})
