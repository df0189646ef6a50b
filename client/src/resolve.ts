import { compareVersions, CountersignError, parseVersion, refuse, type Digest } from './core/index.js'
import {
  formatPackageName,
  namesArtifacts,
  parsePackageSpec,
  speaksFor,
  type Artifact,
} from './resolve/artifact.js'
import { assertContinuity, isAbove, type BoundaryPorts } from './resolve/boundary.js'
import type { Library } from './resolve/evidence.js'
import { registryFor, type HostPolicy } from './host-policy.js'
import type { Accepted, ServerMemory } from './memory.js'
import type { LookupResult, RegistryApi, VersionSummary } from './registry-api.js'
import { isVerdict } from './verdict.js'
import type { VerifiedManifest } from './verify.js'

/** Which server a host means. What is absent is found out. */
export interface Target extends Artifact {
  readonly server?: string | undefined
  readonly version?: string | undefined
}

export interface ResolvePorts extends BoundaryPorts {
  readonly api: RegistryApi
  readonly library: Library
  readonly policy: HostPolicy
  readonly identity: string
  /** The registry did not answer: only what is remembered can speak. */
  readonly unreachable: boolean
  /** What was revoked since, or signed by a key that was, raises no floor: a revoked 99.0.0 is no trap. */
  readonly isVoid: (server: string, accepted: Accepted) => boolean
  /** How many live items are exactly what this manifest signed; `live` when it holds them all. */
  readonly countMatches: (manifest: VerifiedManifest) => number
  readonly live: number
}

/** The manifest that speaks for the live items. */
export interface Anchor {
  readonly verified: VerifiedManifest
  /** Holds every live item (there are some), or was asked for by its version: only then is it remembered as accepted. */
  readonly settled: boolean
  /** A person let exactly this manifest through. */
  readonly agreed: boolean
  /** Other approved versions that were looked at: items of theirs are `version-mismatch`. */
  readonly others: readonly VerifiedManifest[]
  readonly remembered: ServerMemory
}

/** Most versions opened to find the one that holds the live items. */
const MAX_SEARCH = 16

/**
 * PROTOCOL 10.8 and 10.9: which manifest speaks for this server. Everything the registry lists is a hint; what counts is
 * what the opened manifests say. Undefined: it was not named, nobody speaks for it, and nobody ever did in this slot.
 *
 * @throws CountersignError a verdict, `registry-unreachable`
 */
export async function resolveManifest(target: Target, ports: ResolvePorts): Promise<Anchor | undefined> {
  if (target.server !== undefined) assertRegistry(target.server, ports)
  const candidate = await findCandidate(target, ports)
  if (candidate === undefined) {
    // A server that was named, or was verified in this slot before, never falls back to a pin: to know nothing of it is
    // the easiest lie of all.
    const server = target.server ?? ports.slot.resolved
    if (server === undefined) return undefined
    refuse('unknown-server', 'nobody speaks for the server that is meant here', { step: 8, server })
  }
  assertRegistry(candidate.server, ports)
  const remembered = await ports.readServer(candidate.server)
  const valid = remembered.accepted.filter((one) => !ports.isVoid(candidate.server, one))
  const opened = await openVersions(candidate, target, valid, ports)
  const anchor = chooseAnchor(opened, target, valid, ports)
  assertClaim(anchor.verified, candidate, target)
  const known = { memory: remembered, valid, isNamed: target.server !== undefined }
  const agreed = await assertContinuity(anchor.verified, known, ports)
  return { ...anchor, remembered, agreed }
}

// ------------------------------------------------------------------------------------------- which server

interface Candidate {
  readonly server: string
  readonly versions: readonly VersionSummary[]
  /** Found by artifact: the manifest must say so itself. */
  readonly byArtifact: boolean
}

async function findCandidate(target: Target, ports: ResolvePorts): Promise<Candidate | undefined> {
  if (ports.unreachable) return remembered(target, ports)
  try {
    return target.server === undefined
      ? await lookUp(target, ports)
      : await lookUpName(target.server, target, ports)
  } catch (error) {
    const known = isUnreachable(error) ? await remembered(target, ports) : undefined
    if (known === undefined) throw error
    return known
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'registry-unreachable'
}

/** The launch spec's version goes before the newest (PROTOCOL 10.8), where the server has a manifest for it. */
async function lookUpName(
  server: string,
  target: Target,
  { api }: ResolvePorts,
): Promise<Candidate | undefined> {
  const spec = target.package === undefined ? undefined : parsePackageSpec(target.package)
  if (target.version === undefined && target.package !== undefined && spec?.version !== undefined) {
    const found = (await api.lookup({ package: target.package })).find((one) => one.server === server)
    if (found !== undefined && eligible(found.versions).length > 0) {
      return { server, versions: found.versions, byArtifact: true }
    }
  }
  const versions = await api.fetchVersions(server)
  return versions.length === 0 ? undefined : { server, versions, byArtifact: false }
}

/** PROTOCOL 4: by artifact or URL; the publisher's own manifest goes before a voucher's. */
async function lookUp(target: Target, { api }: ResolvePorts): Promise<Candidate | undefined> {
  const { package: packageText, url } = target
  const listed = [
    ...(packageText === undefined ? [] : await api.lookup({ package: packageText })),
    ...(url === undefined ? [] : await api.lookup({ url })),
  ]
  const found = listed.filter((one) => eligible(one.versions).length > 0)
  const best = found.find((one) => one.role === 'publisher') ?? found[0]
  if (best !== undefined) return { server: best.server, versions: best.versions, byArtifact: true }
  assertNotTakenBack(listed)
  if (packageText !== undefined) await assertNoOtherVersion(packageText, api)
  return undefined
}

/** What was approved once and revoked is no server nobody signed. To believe a denial costs a host nothing but the server. */
function assertNotTakenBack(listed: readonly LookupResult[]): void {
  const revoked = listed.find(({ versions }) => versions.some(({ status }) => status === 'revoked'))
  if (revoked === undefined) return
  refuse('revoked', 'every version that speaks for this was revoked', { step: 8, server: revoked.server })
}

/** Somebody speaks for this package, only not for this version: that is not a server nobody signed. */
async function assertNoOtherVersion(text: string, api: RegistryApi): Promise<void> {
  const spec = parsePackageSpec(text)
  if (spec?.version === undefined) return
  const found: readonly LookupResult[] = await api.lookup({ package: formatPackageName(spec) })
  const [first] = found
  if (first === undefined) return
  refuse('unknown-server', 'this version of the package is not approved', {
    step: 8,
    package: text,
    server: first.server,
    approved: first.versions.slice(0, 16).map((one) => one.version),
  })
}

/** Without the registry: the versions accepted here before, or those of which something went on. */
async function remembered(target: Target, ports: ResolvePorts): Promise<Candidate | undefined> {
  const server = target.server ?? ports.slot.resolved
  // What was pinned before needs no registry to be compared with.
  if (server === undefined && ports.slot.pin !== undefined) return undefined
  const known = server === undefined ? [] : versionsOf(await ports.readServer(server))
  if (server === undefined || known.length === 0) {
    return refuse(
      'registry-unreachable',
      'the registry does not answer, and this server was not used before',
      {
        step: 8,
      },
    )
  }
  const versions = known.map((one): VersionSummary => ({
    version: one.version,
    manifest: one.manifest as Digest,
    role: 'publisher',
    status: 'approved',
    index: 0,
  }))
  return { server, versions, byArtifact: false }
}

function versionsOf({ accepted, used = [] }: ServerMemory): readonly Accepted[] {
  return [...accepted, ...used]
}

function assertRegistry(server: string, { policy, identity }: ResolvePorts): void {
  const due = registryFor(policy, server)
  if (due !== undefined && due !== identity) {
    refuse('registry-mismatch', 'the policy gives this name to another registry', {
      step: 8,
      server,
      registry: due,
    })
  }
}

// ------------------------------------------------------------------------------------------ which version

/** What may be used, newest first. */
function eligible(versions: readonly VersionSummary[]): VersionSummary[] {
  return newestFirst(versions).filter(isUsable)
}

/** Whether the registry calls a version good for use. */
export function isUsable({ status }: VersionSummary): boolean {
  return status === 'approved' || status === 'deprecated'
}

/** By precedence, and only what is a version: the list is the registry's. */
export function newestFirst(versions: readonly VersionSummary[]): VersionSummary[] {
  return versions.filter((one) => isVersion(one.version)).sort((a, b) => byVersion(b.version, a.version))
}

function isVersion(text: string): boolean {
  try {
    parseVersion(text)
    return true
  } catch {
    return false
  }
}

function byVersion(a: string, b: string): number {
  return compareVersions(parseVersion(a), parseVersion(b))
}

interface Opened {
  readonly versions: readonly VerifiedManifest[]
  /** The one that holds every live item, or was asked for. */
  readonly whole?: VerifiedManifest
}

/** Opens versions, newest first, until one holds every live item. */
async function openVersions(
  candidate: Candidate,
  target: Target,
  valid: readonly Accepted[],
  ports: ResolvePorts,
): Promise<Opened> {
  const usable = eligible(candidate.versions)
  const asked = target.version === undefined ? usable : usable.filter((one) => one.version === target.version)
  if (asked.length === 0) refuseUnapproved(candidate, target)
  const order = searchOrder(usable, asked, valid)
  const versions: VerifiedManifest[] = []
  const failures: unknown[] = []
  for (const summary of order) {
    const isAsked = asked.includes(summary)
    const about = { server: candidate.server, version: summary.version }
    try {
      const verified = await ports.library.open(summary.manifest, about)
      versions.push(verified)
      if (isAsked && ports.countMatches(verified) === ports.live) return { versions, whole: verified }
    } catch (error) {
      assertSkippable(error, isAsked && versions.length === 0)
      failures.push(error)
      if (target.version !== undefined && isAsked) break
    }
  }
  if (versions.length === 0) throw failures[0]
  return { versions }
}

/** The newest first; what was accepted here is looked at however much came after it. */
function searchOrder(
  usable: readonly VersionSummary[],
  asked: readonly VersionSummary[],
  valid: readonly Accepted[],
): readonly VersionSummary[] {
  const all = [...asked, ...usable.filter((one) => !asked.includes(one))]
  const isKnown = (one: VersionSummary): boolean => valid.some(({ manifest }) => manifest === one.manifest)
  return [...all.slice(0, MAX_SEARCH), ...all.slice(MAX_SEARCH).filter(isKnown).slice(0, MAX_SEARCH)]
}

/**
 * A version that was taken back leaves the word to the next one. Anything else about the newest is a refusal; about older
 * ones it only means that they cannot explain what is live.
 */
function assertSkippable(error: unknown, isFirst: boolean): void {
  const isEvidence =
    error instanceof CountersignError && (isVerdict(error.code) || error.code === 'registry-error')
  if (!isEvidence || (isFirst && !isTakenBack(error))) throw error
}

function isTakenBack(error: unknown): boolean {
  return error instanceof CountersignError && ['revoked', 'expired', 'key-revoked'].includes(error.code)
}

function refuseUnapproved({ server, versions }: Candidate, { version }: Target): never {
  const about = version === undefined ? versions : versions.filter((one) => one.version === version)
  const status = about[0]?.status
  const code =
    status === undefined || status === 'approved' || status === 'deprecated' ? 'unknown-server' : status
  return refuse(code, 'the registry has no approved version of this', {
    step: 8,
    server,
    ...(version !== undefined && { version }),
  })
}

// ----------------------------------------------------------------------------------- floor and continuity

function chooseAnchor(
  { versions, whole }: Opened,
  target: Target,
  valid: readonly Accepted[],
  ports: ResolvePorts,
): Pick<Anchor, 'verified' | 'settled' | 'others'> {
  const isExact = target.version !== undefined
  const chosen = whole ?? (isExact ? versions.find((one) => one.version === target.version) : undefined)
  const above = versions.filter((one) => isAbove(one, valid))
  const best = bestOf(above.length > 0 ? above : versions, valid, ports)
  const anchor = chosen ?? best ?? refuse('unknown-server', 'there is no version to go by', { step: 8 })
  const others = versions.filter((one) => one !== anchor)
  return { verified: anchor, settled: isExact || (whole !== undefined && ports.live > 0), others }
}

/** Most live items held; of equals one that was accepted here, then the newest. */
function bestOf(
  versions: readonly VerifiedManifest[],
  valid: readonly Accepted[],
  ports: ResolvePorts,
): VerifiedManifest | undefined {
  const ranked = versions.map((one) => ({
    one,
    matches: ports.countMatches(one),
    known: Number(valid.some(({ manifest }) => manifest === one.digest)),
  }))
  ranked.sort((a, b) => b.matches - a.matches || b.known - a.known || byVersion(b.one.version, a.one.version))
  return ranked[0]?.one
}

/**
 * The registry's hint that this manifest speaks for the artifact is checked against what was signed. A server that was
 * named may say nothing of packages and addresses; where it does, what runs is one of those.
 */
function assertClaim(verified: VerifiedManifest, candidate: Candidate, target: Target): void {
  const isClaimed = candidate.byArtifact || namesArtifacts(verified.manifest, target)
  if (!isClaimed || speaksFor(verified.manifest, target)) return
  refuse('artifact-mismatch', 'the manifest does not speak for this package or address', {
    step: 8,
    server: verified.server,
    package: target.package ?? '',
    url: target.url ?? '',
  })
}
