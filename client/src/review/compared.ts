import { compareManifests } from '../change/compare.js'
import type { Comparison } from '../change/types.js'
import type { Manifest } from '../core/index.js'
import { inspectManifest } from '../gates/index.js'
import { indexItems, type ItemSet } from '../verify/items.js'
import { readManifest } from './contents.js'
import type { ReviewPorts } from './types.js'

/** Two manifests side by side. */
export interface Compared {
  readonly comparison: Comparison
  readonly before?: Manifest
  readonly items?: ItemSet
}

/** A manifest can be 4 MiB, and is compared again when it was pushed out. */
const MAX_COMPARED = 16

/** PROTOCOL 10.11: what changed since the version with that digest. With nothing to compare with, everything did. */
export async function compareWith(
  from: string,
  after: Manifest,
  digest: string,
  ports: ReviewPorts,
): Promise<Compared> {
  const key = `${from} ${digest}`
  const known = ports.compared.get(key)
  if (known !== undefined) return known
  const before = await readManifest(ports, from)
  if (before === undefined) return { comparison: UNKNOWN }
  const compared = { comparison: compareContents(before, after), before, items: indexItems(before) }
  if (ports.compared.size >= MAX_COMPARED) ports.compared.clear()
  ports.compared.set(key, compared)
  return compared
}

const UNKNOWN: Comparison = { class: 'dangerous', changes: [], more: 0 }

/** With what the rules find in the new one. */
export function compareContents(before: Manifest, after: Manifest): Comparison {
  return compareManifests(before, after, inspectManifest(after, { knownServers: [] }))
}
