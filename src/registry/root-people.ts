import { readFile } from 'node:fs/promises'
import { CountersignError } from 'countersign/core'
import { readPolicy as parsePolicy, type RootPeople } from '../log/root.js'

const MAX_ROOT_FILE = 65_536

/** The file of the first trust root's people cannot be used; the operator can mend it. */
export class RootFileError extends Error {
  override readonly name = 'RootFileError'
  readonly code = 'root-file-unusable'
}

/**
 * What the settings say of the first trust root: whom it names, JSON of `authorities` and `approvers`, each
 * `{ keys, threshold }`, and its witnesses, a tlog-policy. The keys are checked where the root is made.
 * Throws RootFileError.
 */
export async function readRootPeople(
  file: string | undefined,
  policyFile?: string,
): Promise<RootPeople | undefined> {
  if (file === undefined && policyFile === undefined) return undefined
  return {
    ...(file === undefined ? {} : await readPeople(file)),
    ...(policyFile === undefined ? {} : { policy: await readPolicy(policyFile) }),
  }
}

/** JSON of `authorities` and `approvers`. Throws RootFileError. */
export async function readPeople(file: string): Promise<RootPeople> {
  const value = parseJson(await readSmall(file))
  if (!isPeople(value)) throw new RootFileError(`${file} is no JSON of { authorities, approvers }`)
  return value
}

/** The text of a tlog-policy, as it goes into the root. Throws RootFileError. */
export async function readPolicy(file: string): Promise<string> {
  const text = await readSmall(file)
  try {
    parsePolicy(text)
    return text
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new RootFileError(`${file} is no witness policy: ${cause.message}`, { cause })
  }
}

async function readSmall(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new RootFileError(`${file} cannot be read`, { cause })
  })
  if (text.length > MAX_ROOT_FILE) throw new RootFileError(`${file} is too large for a trust root`)
  return text
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
