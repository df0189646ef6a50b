import { CountersignError, findLog } from '../core/index.js'
import type { Memory } from '../memory.js'
import type { RegistryApi } from '../registry-api.js'
import { refuseFork, type OpenedBundle } from '../verify/tree.js'
import { showsOtherPast, type SignedTree } from './forks.js'
import type { View } from './view.js'

/** What a bundle's checkpoint has to be a prefix of, and which log that is. */
export interface Goal extends SignedTree {
  /** Absent for the active log. */
  readonly log?: string
  /** The cached proof's name: a frozen log by its number, for origins name no files. */
  readonly name: string
}

/** The end of the frozen log that the checkpoint is of, or the status's tree. Undefined: this root knows no such log. */
export function goalOf({ root, status }: View, { origin, size }: OpenedBundle): Goal | undefined {
  const place = findLog(root, origin)
  if (place === undefined) return undefined
  const { final } = place
  if (final === undefined) {
    const { checkpoint, text } = status
    return { ...checkpoint, status: text, name: `consistency-${size}-${checkpoint.size}` }
  }
  const number = root.logs.findIndex((log) => log.origin === origin) + 1
  return { ...final, log: origin, name: `consistency-${number}-${size}-${final.size}` }
}

/** The proof as it was kept: a cache, believed by nobody. */
export async function readProof(
  memory: Memory,
  identity: string,
  { name }: Goal,
): Promise<Uint8Array[] | undefined> {
  const bytes = await memory.readBlob(identity, name)
  if (bytes === undefined || bytes.length % 32 !== 0) return undefined
  return Array.from({ length: bytes.length / 32 }, (_, i) => bytes.slice(i * 32, i * 32 + 32))
}

/**
 * What a bundle that was refused says of the registry: an inconsistent checkpoint that the log signed is one of two
 * histories, also where its proof hides that ({@link showsOtherPast}). Of a frozen log nothing but its end counts.
 */
export async function asFork(
  api: RegistryApi,
  view: View,
  opened: OpenedBundle,
  error: unknown,
): Promise<unknown> {
  const goal = goalOf(view, opened)
  const isOther = error instanceof CountersignError && error.detail['otherPast'] === false
  if (!isOther || goal === undefined || goal.log !== undefined) return error
  if (!(await showsOtherPast({ api, step: 5 }, opened.tree, goal))) return error
  try {
    return refuseFork(opened.bundle, view.root, view.status)
  } catch (fork) {
    return fork
  }
}
