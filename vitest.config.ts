import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Tests import the sources; processes they start run the build that `pretest` brings up to date. */
export const alias = [
  { find: /^countersign$/, replacement: at('client/src/index.ts') },
  { find: /^countersign\/(change|verify)$/, replacement: at('client/src/$1.ts') },
  { find: /^countersign\/(core|gates|node|publish)$/, replacement: at('client/src/$1/index.ts') },
]

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/soak/**'],
    reporters: ['default', at('test/support/reporter.ts')],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
})
