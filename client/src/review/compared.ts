import { compareManifests } from '../change/compare.js'
import type { Comparison } from '../change/types.js'
import { formatManifest, manifestDigest, type Manifest } from '../core/index.js'
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
  return keepCompared(key, compared, ports)
}

/** Of lists that nobody signed: whoever shows a changed one again and again has it compared once. */
export function comparePins(
  before: Manifest,
  after: Manifest,
  ports: Pick<ReviewPorts, 'compared'>,
): Comparison {
  const digestOf = (manifest: Manifest): string => manifestDigest(formatManifest(manifest))
  const key = `pin ${digestOf(before)} ${digestOf(after)}`
  const known = ports.compared.get(key)
  return (known ?? keepCompared(key, { comparison: compareContents(before, after) }, ports)).comparison
}

function keepCompared(
  key: string,
  compared: Compared,
  { compared: all }: Pick<ReviewPorts, 'compared'>,
): Compared {
  if (all.size >= MAX_COMPARED) all.clear()
  all.set(key, compared)
  return compared
}

const UNKNOWN: Comparison = { class: 'dangerous', changes: [], more: 0 }

/** With what the rules find in the new one. */
export function compareContents(before: Manifest, after: Manifest): Comparison {
  return compareManifests(before, after, inspectManifest(after, { knownServers: [] }))
}
