import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
/** Below node_modules, so that what the programs import is found from there. */
const FOLDER = at('../../node_modules/.cache/countersign-tests/')

const built = new Map<string, string>()

/**
 * The command line of a TypeScript program beside this file. It is made into one file first, once a worker: that starts
 * in a tenth of the time that it takes to load a compiler with it.
 */
export function program(name: string, ...args: readonly string[]): [string, ...string[]] {
  const file = built.get(name) ?? build(name)
  built.set(name, file)
  return [process.execPath, '--enable-source-maps', file, ...args]
}

function build(name: string): string {
  mkdirSync(FOLDER, { recursive: true })
  const outfile = join(FOLDER, `${basename(name, '.ts')}.mjs`)
  const { outputFiles } = buildSync({
    // What is written does not depend on where somebody stands.
    absWorkingDir: at('../../'),
    entryPoints: [at(name)],
    outfile,
    write: false,
    ...{ bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20' },
    sourcemap: 'inline',
    alias: {
      'countersign/core': at('../../client/src/core/index.ts'),
      'countersign/gates': at('../../client/src/gates/index.ts'),
      'countersign/node': at('../../client/src/node/index.ts'),
      'countersign/publish': at('../../client/src/publish/index.ts'),
    },
  })
  for (const { path, contents } of outputFiles) place(path, contents)
  return outfile
}

/** One file a program for all workers of all runs: what it is given is whole, and the same sources leave it as it is. */
function place(file: string, contents: Uint8Array): void {
  if (existsSync(file) && readFileSync(file).equals(contents)) return
  const draft = `${file}.${process.pid}.tmp`
  writeFileSync(draft, contents)
  renameSync(draft, file)
}
