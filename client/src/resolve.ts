import { compareVersions, CountersignError, parseVersion, refuse, type Digest } from './core/index.js'
import {
  formatPackageName,
  namesArtifacts,
  parsePackageSpec,
  speaksFor,
  type Artifact,
} from './resolve/artifact.js'
import type { Library } from './resolve/evidence.js'
import { registryFor, type HostPolicy } from './host-policy.js'
import type { Accepted, ServerMemory } from './memory.js'
import type { LookupResult, RegistryApi, VersionSummary } from './registry-api.js'
import { isVerdict } from './verdict.js'
import { activeKey } from './verify/key-chain.js'
import type { VerifiedManifest } from './verify.js'

/** Which server a host means. What is absent is found out. */
export interface Target extends Artifact {
  readonly server?: string | undefined
  readonly version?: string | undefined
}

export interface ResolvePorts {
  readonly api: RegistryApi
  readonly library: Library
  readonly policy: HostPolicy
  readonly identity: string
  /** The registry did not answer: only what is remembered can speak. */
  readonly unreachable: boolean
  /** What is remembered of the slot itself. */
  readonly slot: ServerMemory
  readonly readServer: (server: string) => Promise<ServerMemory>
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
  const floor = floorOf(remembered, (one) => ports.isVoid(candidate.server, one))
  const opened = await openVersions(candidate, target, ports)
  const anchor = chooseAnchor(opened, target, floor, ports)
  assertClaim(anchor.verified, candidate, target)
  assertContinuity(anchor.verified, remembered, target, ports)
  return { ...anchor, remembered }
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

/** Without the registry: the versions accepted here before. */
async function remembered(target: Target, ports: ResolvePorts): Promise<Candidate | undefined> {
  const server = target.server ?? ports.slot.resolved
  // What was pinned before needs no registry to be compared with.
  if (server === undefined && ports.slot.pin !== undefined) return undefined
  const accepted = server === undefined ? [] : (await ports.readServer(server)).accepted
  if (server === undefined || accepted.length === 0) {
    return refuse(
      'registry-unreachable',
      'the registry does not answer, and this server was not used before',
      {
        step: 8,
      },
    )
  }
  const versions = accepted.map((one): VersionSummary => ({
    version: one.version,
    manifest: one.manifest as Digest,
    role: 'publisher',
    status: 'approved',
    index: 0,
  }))
  return { server, versions, byArtifact: false }
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

/** The highest version accepted here that still counts. */
function floorOf({ accepted }: ServerMemory, isVoid: (one: Accepted) => boolean): string | undefined {
  return accepted
    .filter((one) => !isVoid(one))
    .map((one) => one.version)
    .sort(byVersion)
    .at(-1)
}

interface Opened {
  readonly versions: readonly VerifiedManifest[]
  /** The one that holds every live item, or was asked for. */
  readonly whole?: VerifiedManifest
}

/** Opens versions, newest first, until one holds every live item. */
async function openVersions(candidate: Candidate, target: Target, ports: ResolvePorts): Promise<Opened> {
  const usable = eligible(candidate.versions)
  const asked = target.version === undefined ? usable : usable.filter((one) => one.version === target.version)
  if (asked.length === 0) refuseUnapproved(candidate, target)
  const order = [...asked, ...usable.filter((one) => !asked.includes(one))].slice(0, MAX_SEARCH)
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
  floor: string | undefined,
  ports: ResolvePorts,
): Omit<Anchor, 'remembered'> {
  const isAbove = (one: VerifiedManifest): boolean =>
    floor === undefined || byVersion(one.version, floor) >= 0
  const isExact = target.version !== undefined
  const chosen = whole ?? (isExact ? versions.find((one) => one.version === target.version) : undefined)
  const anchor = chosen ?? bestOf(versions.filter(isAbove), ports)
  // PROTOCOL 10.9: going back to a lower version than was accepted here is for a person to decide.
  if (anchor === undefined || !isAbove(anchor)) {
    refuse('consent-required', 'this is a lower version than was used here before', {
      step: 9,
      reason: 'lower-version',
      floor: floor ?? '',
      version: (anchor ?? versions[0])?.version ?? '',
    })
  }
  const others = versions.filter((one) => one !== anchor)
  return { verified: anchor, settled: isExact || (whole !== undefined && ports.live > 0), others }
}

/** Most live items held; of equals the newest. */
function bestOf(versions: readonly VerifiedManifest[], ports: ResolvePorts): VerifiedManifest | undefined {
  let best: VerifiedManifest | undefined
  let most = -1
  for (const one of versions) {
    const matches = ports.countMatches(one)
    const isBetter = best === undefined || matches > most
    if (isBetter || (matches === most && byVersion(one.version, best?.version ?? one.version) > 0)) {
      best = one
      most = matches
    }
  }
  return best
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

/**
 * PROTOCOL 10.9: another server in the slot, or a key nobody remembered endorsed, need a person's consent. Endorsed is
 * what a remembered own key stands behind, one endorsement after the other: to stand beside one in the chain is nothing.
 */
function assertContinuity(
  verified: VerifiedManifest,
  remembered: ServerMemory,
  target: Target,
  { slot }: ResolvePorts,
): void {
  if (target.server === undefined && slot.resolved !== undefined && slot.resolved !== verified.server) {
    refuse('consent-required', 'another server speaks for this slot than before', {
      step: 9,
      reason: 'other-server',
      before: slot.resolved,
      now: verified.server,
    })
  }
  const { kid, endorsers } = activeKey(verified.keyChain, verified.kid, 'sign', verified.publishIndex)
  const isEndorsed = endorsers.some((one) => remembered.ownKids.includes(one))
  if (remembered.ownKids.length > 0 && !isEndorsed && !remembered.signKids.includes(kid)) {
    refuse('consent-required', 'no key that was known here endorsed the keys of this version', {
      step: 9,
      reason: 'other-publisher',
      server: verified.server,
      kid,
    })
  }
}
