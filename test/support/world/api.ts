import { refuse, type Digest, type Manifest } from 'countersign/core'
import type { LookupResult, RegistryApi, VersionSummary } from 'countersign'
import { bundleBytes } from './bundles.js'
import type { Ledger } from './ledger.js'
import type { Publications, Published } from './publications.js'

interface Query {
  readonly package?: string
  readonly url?: string
}

/** The registry as hosts see it. Errors come as rejections, as they do from a server. */
export function apiOf(ledger: Ledger, publications: Publications): RegistryApi {
  const { logs, revocations, roots } = ledger
  const summaries = (of: readonly Published[]): VersionSummary[] => of.map((one) => summaryOf(ledger, one))
  const findBundle = (digest: Digest): Published =>
    publications.all.find((one) => one.digest === digest && one.approveIndex !== undefined) ??
    refuse('registry-error', 'no such bundle', { digest })
  const lookup = (query: Query): LookupResult[] => {
    const found = publications.all.filter((one) => isAbout(one.manifest, query))
    const servers = [...new Set(found.map((one) => one.server))]
    const results = servers.map((server): LookupResult => {
      const mine = found.filter((one) => one.server === server)
      const role = mine[0]?.manifest.role ?? 'publisher'
      return { server, role, versions: summaries(mine).filter((one) => one.status === 'approved') }
    })
    return results.sort((a, b) => Number(a.role === 'voucher') - Number(b.role === 'voucher'))
  }
  return {
    fetchStatus: () => later(() => ledger.statusBytes()),
    fetchBundle: (digest) => later(() => bundleBytes(ledger, publications, findBundle(digest), {})),
    fetchConsistency: (from, to, log) => later(() => logs.consistency(from, to, log)),
    fetchRevocations: (hex) =>
      later(() => revocations.kept(hex) ?? refuse('registry-error', 'no such list', { hex })),
    fetchRoot: (version) => later(() => roots.note(version === 'latest' ? roots.count : version)),
    fetchVersions: (server) =>
      later(() => summaries(publications.all.filter((one) => one.server === server))),
    lookup: (query) => later(() => lookup(query)),
  }
}

export function summaryOf({ revocations }: Ledger, published: Published): VersionSummary {
  const { digest, version, manifest, index, approveIndex } = published
  const isRevoked = revocations.has({ kind: 'manifest', digest })
  const status = isRevoked ? 'revoked' : approveIndex === undefined ? 'pending' : 'approved'
  return { version, manifest: digest, role: manifest.role, status, index }
}

/** What `run` returns or throws, as a promise of it. */
export function later<T>(run: () => T): Promise<T> {
  return new Promise((resolve) => resolve(run()))
}

function isAbout(manifest: Manifest, query: Query): boolean {
  const about = manifest.role === 'voucher' ? manifest.subject : manifest
  const names = (about?.packages ?? []).flatMap((ref) => [
    `${ref.registryType}:${ref.identifier}`,
    ...(ref.version === undefined ? [] : [`${ref.registryType}:${ref.identifier}@${ref.version}`]),
  ])
  if (query.package !== undefined && names.includes(query.package)) return true
  return query.url !== undefined && (about?.remotes ?? []).some((remote) => remote.url === query.url)
}
