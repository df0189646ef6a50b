import { inspectManifest, type Finding } from 'countersign/gates'
import { MANIFEST_FORMAT, type Manifest } from 'countersign/core'
import type { Claims } from '../judge/examine.js'
import type { BatchTx, ManifestRow, ServerName } from '../storage/store.js'

const RULE = 'name-lookalike'
/** What the gates say of names comes before everything else, name by name. */
const NAME_RULES: readonly string[] = [RULE, 'name-punycode']

type Names = Pick<Claims, 'server' | 'version' | 'registry' | 'role' | 'subject'>
type Known = readonly Pick<ServerName, 'server' | 'namespace'>[]

/**
 * What the look-alike rule sees in the names of a manifest alone. The rest of it was inspected before, and is not walked
 * again while the log waits.
 */
export function inspectNamesOf(names: Names, knownServers: Known): Finding[] {
  return inspectNames(names, knownServers).filter(({ rule }) => rule === RULE)
}

/** The findings of a manifest that was measured against no other name, as they are when it is measured against these. */
export function withNames(findings: readonly Finding[], names: Names, knownServers: Known): Finding[] {
  const others = findings.filter(({ rule }) => !NAME_RULES.includes(rule))
  return [...inspectNames(names, knownServers), ...others]
}

function inspectNames({ server, version, registry, role, subject }: Names, knownServers: Known): Finding[] {
  const names: Manifest = {
    ...{ format: MANIFEST_FORMAT, registry, server, version, role, tools: [] },
    ...(subject !== undefined && { subject }),
  }
  return inspectManifest(names, { knownServers }).filter(({ rule }) => NAME_RULES.includes(rule))
}

/** Names that were logged after a look at them, up to the candidate that asks: what it was not measured against. */
export type ReadsNames = Pick<BatchTx, 'readServerNames' | 'readNamespace' | 'readServer' | 'readManifest'>

export interface Late {
  /** What holds the newcomer: it resembles a name of an older namespace. */
  readonly findings: readonly Finding[]
  /** Rows of newer namespaces that wait and resemble the newcomer, with what holds them now. */
  readonly holds: readonly ManifestRow[]
}

/**
 * Decided again in log order: of two look-alikes that came at the same moment neither was measured against the other.
 * The one whose namespace is younger is held, whichever came first.
 */
export async function findLateLookalikes(
  tx: ReadsNames,
  manifest: Names,
  namespace: string,
  seen: number,
): Promise<Late> {
  const names = (await tx.readServerNames(seen)).filter((name) => name.server !== manifest.server)
  const like = names.filter((name) => inspectNamesOf(manifest, [name]).length > 0)
  if (like.length === 0) return { findings: [], holds: [] }
  const own = (await tx.readNamespace(namespace))?.index ?? Number.MAX_SAFE_INTEGER
  const older: ServerName[] = []
  const holds: ManifestRow[] = []
  for (const name of like) {
    const isOlder = ((await tx.readNamespace(name.namespace))?.index ?? 0) < own
    if (isOlder) older.push(name)
    else holds.push(...(await waitingRows(tx, name.server, { server: manifest.server, namespace })))
  }
  return { findings: inspectNamesOf(manifest, older), holds }
}

async function waitingRows(
  tx: ReadsNames,
  server: string,
  known: { server: string; namespace: string },
): Promise<ManifestRow[]> {
  const versions = await tx.readServer(server)
  // While a version is approved the name is settled, and nobody's newcomer holds its owner up.
  if (versions.some(({ status }) => status === 'approved' || status === 'deprecated')) return []
  const listings = versions.filter(({ status }) => status === 'pending' || status === 'rejected')
  const rows = await Promise.all(listings.map(({ manifest }) => tx.readManifest(manifest)))
  return rows.filter((row) => row !== undefined).map((row) => withFinding(row, known))
}

function withFinding(row: ManifestRow, known: { server: string; namespace: string }): ManifestRow {
  const kept = JSON.parse(row.findings) as Finding[]
  const { server, version, role } = row
  const found = inspectNamesOf({ server, version, role, registry: '' }, [known])
  const isNew = found.filter(({ message }) => !kept.some((finding) => finding.message === message))
  return { ...row, findings: JSON.stringify([...kept, ...isNew]) }
}
