import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Public vectors and the corpus of captured servers are read in place from `../shared` next to the checkout. Without
 * them the tests that need them are skipped, and say so.
 */
const folder = fileURLToPath(new URL('../../../shared/', import.meta.url))
const warned = new Set<string>()

/** The path of a file or folder of `../shared`, or undefined (with one warning for each) when it is not there. */
export function sharedPath(relative: string): string | undefined {
  const path = join(folder, relative)
  if (existsSync(path)) return path
  if (!warned.has(relative)) {
    warned.add(relative)
    console.warn(`SKIPPING TESTS: ../shared/${relative} is not next to this checkout`)
  }
  return undefined
}

/** A file or folder of the public test vectors. */
export function vectors(relative: string): string | undefined {
  return sharedPath(`vectors/${relative}`)
}

/** A file or folder of the corpus of captured servers. */
export function corpus(relative: string): string | undefined {
  return sharedPath(`corpus/${relative}`)
}

/** A JSON file of vectors or corpus, as its own tests type it. */
export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** Paths of all files of a folder with this ending, sorted. */
export function filesIn(folderPath: string, ending: string): string[] {
  const names = readdirSync(folderPath).filter((name) => name.endsWith(ending))
  return names.sort().map((name) => join(folderPath, name))
}
