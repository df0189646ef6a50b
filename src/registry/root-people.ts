import { readFile } from 'node:fs/promises'
import type { RootPeople } from '../log/root.js'

const MAX_ROOT_FILE = 65_536

/** The file of the first trust root's people cannot be used; the operator can mend it. */
export class RootFileError extends Error {
  override readonly name = 'RootFileError'
  readonly code = 'root-file-unusable'
}

/**
 * Whom the first trust root names: JSON of `authorities` and `approvers`, each `{ keys, threshold }`. The keys are
 * checked where the root is made. Throws RootFileError.
 */
export async function readRootPeople(file: string | undefined): Promise<RootPeople | undefined> {
  if (file === undefined) return undefined
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new RootFileError(`${file} cannot be read`, { cause })
  })
  if (text.length > MAX_ROOT_FILE) throw new RootFileError(`${file} is too large to name some keys`)
  const value = parseJson(text)
  if (!isPeople(value)) throw new RootFileError(`${file} is no JSON of { authorities, approvers }`)
  return value
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isPeople(value: unknown): value is RootPeople {
  if (typeof value !== 'object' || value === null) return false
  const names = Object.keys(value)
  return names.length > 0 && names.every((name) => name === 'authorities' || name === 'approvers')
}
