import {
  CountersignError,
  decodeBase64url,
  envelopeDigest,
  equalBytes,
  findLog,
  manifestDigest,
  parseEvent,
  parseManifest,
  refuse,
  utf8Bytes,
  type Manifest,
} from '../core/index.js'
import { memoryInProcess } from '../memory.js'
import { openLibrary } from '../resolve/evidence.js'
import { staticApi } from '../static-api.js'
import type { VersionSummary } from '../static-api/api.js'
import { proveAt } from '../static-api/tiles.js'
import { openBundle, type OpenedBundle } from '../verify.js'
import type { MirrorPorts, MirroredLog, Standing } from './ports.js'
import { activeOf } from './ports.js'
import { readLeaf } from './scan.js'

/** A version whose bundle holds, and what its manifest says. */
export interface Evidence {
  readonly row: VersionSummary
  readonly manifest: Manifest
}

/** What was taken back is shown to hosts all the same: they must be able to say why they refuse. */
const TAKEN_BACK: ReadonlySet<string> = new Set(['revoked', 'key-revoked', 'expired'])

/** Whether a bundle is proved in a tree that is not mirrored yet. */
export function isAhead(bytes: Uint8Array, standing: Standing): boolean {
  const { origin, size } = openBundle(bytes)
  const log = standing.logs.find((one) => one.origin === origin)
  return log === undefined || (log === activeOf(standing) && size > log.size)
}

/**
 * PROTOCOL 10, steps 5 to 7, with proofs made of the tiles in the folder.
 * @throws CountersignError a verdict
 */
export async function proveVersion(
  ports: MirrorPorts,
  standing: Standing,
  row: VersionSummary,
  server: string,
  bytes: Uint8Array,
): Promise<Evidence> {
  const { folder, now, memory: known } = ports
  const { view, logs } = standing
  const treeOf = (origin?: string): MirroredLog =>
    logs.find((log) => log.origin === origin) ?? activeOf(standing)
  const api = {
    ...staticApi(folder.read),
    fetchBundle: () => Promise.resolve(bytes),
    fetchConsistency: (from: number, to: number, log?: string) => proveAt(folder.read, treeOf(log), from, to),
  }
  // The bundles are in the folder; that a log forked is for every host of this machine to know.
  const memory = { ...memoryInProcess(), keepEvidence: known.keepEvidence.bind(known) }
  const library = openLibrary({ api, memory, now, view: () => Promise.resolve(view) })
  try {
    await library.open(row.manifest, { server, version: row.version })
  } catch (error) {
    if (!(error instanceof CountersignError) || !TAKEN_BACK.has(error.code)) throw error
  }
  return readEvidence(ports, standing, row, server, openBundle(bytes))
}

/**
 * Also of what was taken back, where the verification ends early: the log in the folder holds this publication of this
 * very envelope.
 */
async function readEvidence(
  { folder }: MirrorPorts,
  standing: Standing,
  row: VersionSummary,
  server: string,
  { bundle, origin }: OpenedBundle,
): Promise<Evidence> {
  for (const { event: text, index, log: frozen } of bundle.events) {
    const event = parseEvent(text)
    if (event.t !== 'publish') continue
    const log = standing.logs.find((one) => one.origin === (frozen ?? origin))
    const leaf = log && (await readLeaf(folder, log, index))
    const payload = decodeBase64url(bundle.envelope.split('.')[1] ?? '')
    const isIt =
      leaf !== undefined &&
      equalBytes(leaf, utf8Bytes(text)) &&
      event.envelope === envelopeDigest(bundle.envelope) &&
      event.manifest === manifestDigest(payload) &&
      event.manifest === row.manifest
    if (!isIt) break
    const manifest = parseManifest(payload)
    if (manifest.server !== server || manifest.version !== row.version) break
    const base = findLog(standing.view.root, log?.origin ?? '')?.base ?? 0
    return { row: { ...row, role: manifest.role, index: base + index }, manifest }
  }
  return refuse('proof-invalid', 'the bundle is of another publication', { server, version: row.version })
}
