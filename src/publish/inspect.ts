import type { Finding, GateFacts } from 'countersign/gates'
import type { Store } from '../storage/store.js'
import type { Context } from '../publishers/context.js'
import type { Names } from './names.js'
import { withNames } from './lookalikes.js'
import type { Submission } from './submission.js'

type Known = GateFacts['knownServers']

export interface PublishContext extends Context {
  readonly names: Names
}

export interface Inspection {
  readonly findings: readonly Finding[]
  /** A version of this very server is logged already: its name is nobody else's. */
  readonly knownServer: boolean
  /**
   * Index of the newest publication whose name it was measured against; absent for a name that is settled.
   */
  readonly seen?: number
}

/**
 * What the gates found, and what they find in its names beside those that are known. While a version is approved, the name is settled; once all of them were taken
 * back it is measured again. A server's own name does not count as known, or a second submission would pass where the first was held. What is held for its name is
 * looked at once more against older namespaces only.
 */
export async function inspect(
  { store, names }: PublishContext,
  { claims, findings, namespace }: Pick<Submission, 'claims' | 'findings' | 'namespace'>,
): Promise<Inspection> {
  const { server } = claims
  const around = await names.around(server)
  const { isKnown: knownServer, seen } = around
  if (knownServer && (await store.readNewestApproved(server)) !== undefined) {
    return { findings, knownServer }
  }
  const judge = (knownServers: Known): Inspection => ({
    findings: withNames(findings, claims, knownServers),
    knownServer,
    seen,
  })
  const others = around.names.filter((name) => name.server !== server)
  const inspection = judge(others)
  if (others.length === 0 || !inspection.findings.some((finding) => finding.held)) return inspection
  return judge(await older(store, others, namespace))
}

/**
 * Names of namespaces that were enrolled before this one: log order says who resembles whom. Otherwise a
 * squatter's mere submission would hold every new server of the owner it imitates.
 */
async function older(store: Store, names: Known, namespace: string): Promise<Known> {
  const own = (await store.readNamespace(namespace))?.index ?? Number.MAX_SAFE_INTEGER
  const indexes = new Map<string, number>()
  for (const name of new Set(names.map((known) => known.namespace))) {
    indexes.set(name, (await store.readNamespace(name))?.index ?? 0)
  }
  return names.filter((known) => (indexes.get(known.namespace) ?? 0) < own)
}
