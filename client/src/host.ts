import {
  CountersignError,
  parseServerName,
  refuse,
  type ErrorDetail,
  type FreshnessLimits,
  type Signer,
} from './core/index.js'
import type { Consent, ExplainedQuestion, Question } from './consent/types.js'
import type { HostEvent } from './review/events.js'
import { openLibrary } from './resolve/evidence.js'
import type { Freshness } from './freshness.js'
import { hostLimits, type HostPolicy } from './host-policy.js'
import { openPolicies } from './host/policies.js'
import { speaksForArtifact } from './host/claims.js'
import type { FactSource } from './review/judge.js'
import type { Memory } from './memory.js'
import { formatOffline, offlineApi, OFFLINE_FORMAT, parseOffline } from './offline.js'
import { registryApi, type RegistryApi, type VersionSummary } from './registry-api.js'
import { reviewServer, type Review, type ReviewInput, type ReviewPorts } from './review.js'
import { answerQuestion, explainQuestion, listWaiting } from './review/waiting.js'
import { isUsable, newestFirst } from './resolve.js'
import { openTrust, type Trust } from './trust.js'
import type { ListCache } from './resolve/known.js'
import { goalOf } from './resolve/proofs.js'
import { fetchView, viewFreshness, type View } from './resolve/view.js'
import { openBundle, type OpenedBundle, type ProvedSnapshot, type VerifiedManifest } from './verify.js'

export interface HostOptions {
  /** The registry's URL (https; http on this machine only), or something that answers like one. */
  readonly registry: string | RegistryApi
  /** For a private registry that is named by its URL: an access token, or what gives one for each request. */
  readonly token?: string | (() => Promise<string>)
  /** What was pinned: `readTrust()` of `countersign/node`, or `pinTrust`. */
  readonly trust: Trust
  /** What was seen before: `fileMemory()` of `countersign/node`, or `memoryInProcess()`. */
  readonly memory: Memory
  readonly policy?: HostPolicy
  /**
   * In place of `policy`: what the authorities of the registry's trust root signed for its hosts, fetched when the host
   * opens and with each refresh, remembered, and never replaced by an older one.
   */
  readonly policySource?: 'registry'
  /** Identities of all registries whose servers run beside these, from the same memory; this one alone when absent. */
  readonly neighbours?: readonly string[]
  /** An offline bundle the person handed over: nothing else is asked, and the longer freshness bound counts. */
  readonly offline?: Uint8Array
  /** POSIX milliseconds; `Date.now` when absent. */
  readonly now?: () => number
  /** What the guard itself knows of this machine; without it, items with such slots are `slot-mismatch`. */
  readonly facts?: FactSource
  /** Signs pins; the memory's own host key when absent. */
  readonly hostSigner?: Signer
  readonly onEvent?: (event: HostEvent) => void
}

/** A registry, a memory and a policy at work. */
export interface Host {
  readonly identity: string
  /** As it is in force now. */
  readonly policy: HostPolicy
  /**
   * Whether this registry is the one to ask of a server that nobody named: it spoke for the slot before, speaks for its
   * package in whatever version, or for its address. Also when it cannot be asked: then nobody else may answer for it.
   */
  speaksFor(input: Pick<ReviewInput, 'slot' | 'package' | 'url'>): Promise<boolean>
  /**
   * Which of the live items are what was signed, logged, approved and not revoked (PROTOCOL 10).
   * @throws CountersignError only when the host's own memory cannot be used; everything else is in the review
   */
  review(input: ReviewInput): Promise<Review>
  /**
   * The newest approved version, or this one, proved without a live server; `steps` tells what was found.
   * @throws CountersignError the verdict, with the step in its detail
   */
  verify(server: string, version?: string): Promise<VerifiedManifest>
  /** How fresh what is known of the registry is, asking it when that is due. */
  freshness(): Promise<Freshness>
  /**
   * Everything a host without network needs for this version, for `HostOptions.offline`. A host whose memory knows the log
   * at an earlier size needs the proof from there: name its size in `since`.
   */
  offlineBundle(server: string, version?: string, since?: readonly number[]): Promise<Uint8Array>
  /** What waits for a person's consent, oldest first. @throws CountersignError when the memory cannot be used */
  waiting(): Promise<readonly Question[]>
  /**
   * A question, answered or not, with everything one must see to answer it.
   * @throws CountersignError `usage` for a question that is not known, `registry-unreachable` when the texts cannot be had
   */
  explain(id: string): Promise<ExplainedQuestion>
  /**
   * A person's decision; it may be changed later. What was agreed to is in use from the next review on.
   * @throws CountersignError `usage` for a question that is not known
   */
  consent(id: string, decision: Consent['decision']): Promise<void>
  /** Asks the registry now. @throws CountersignError when nothing good is known afterwards */
  refresh(): Promise<void>
  close(): Promise<void>
}

/** For one request of the built-in client: short, for the last good view may do as well. */
export const REQUEST_MS = 4000
/** After a registry did not answer, seconds until it is asked again. */
const RETRY_SECONDS = 15

/**
 * Opens a host: pins are verified, the network is not touched before it is needed.
 *
 * @throws CountersignError `registry-mismatch`, `root-outdated`, `usage`, `bundle-malformed` for `offline`; with a
 *   `policySource`, for which it asks the registry, why there is no policy to go by
 * @example
 * const host = await openHost({ registry: 'https://registry.example.com', trust, memory: memoryInProcess() })
 * const { allowed, withheld } = await host.review({ server: 'com.example/weather', slot: 'npx weather', tools })
 */
export async function openHost(options: HostOptions): Promise<Host> {
  const { memory, now = Date.now } = options
  const root = openTrust(options.trust)
  const api = apiOf(options)
  const emit = (event: HostEvent): void => options.onEvent?.(event)
  const lists: ListCache = new Map()
  const warm: ReviewPorts['warm'] = new Map()
  const policies = openPolicies(options, { api, memory, root, emit, onChanged: () => warm.clear() })
  const limitsOf = (view: View): FreshnessLimits => hostLimits(view.root.freshness, policies.current())
  const views = keepView({
    load: async () => {
      const view = await fetchView({ api, memory, root, now, lists })
      await policies.follow(view)
      return view
    },
    refreshSeconds: (view) => limitsOf(view).refreshSeconds,
    now,
    emit,
    identity: root.identity,
  })
  const library = openLibrary({ api, memory, now, view: views.current })
  const isOffline = options.offline !== undefined
  const freshnessOf = (view: View): Freshness => viewFreshness(view, now(), limitsOf(view), isOffline)
  const ports: ReviewPorts = {
    identity: root.identity,
    identities: options.neighbours ?? [root.identity],
    get policy() {
      return policies.current()
    },
    api,
    memory,
    library,
    view: views.current,
    freshnessOf,
    facts: options.facts ?? (() => ({})),
    signer: () =>
      options.hostSigner === undefined ? memory.hostSigner() : Promise.resolve(options.hostSigner),
    emit,
    now,
    warm,
    compared: new Map(),
    neighbours: new Map(),
  }
  // Reading once finds a memory that cannot be used before a server is started behind this host.
  await memory.readWorld(root.identity)
  if (options.policySource !== undefined) await views.current()
  policies.current()
  return {
    identity: root.identity,
    get policy() {
      return policies.current()
    },
    speaksFor: (input) => speaksForArtifact(input, ports),
    review: (input) => reviewServer(input, ports),
    verify: async (server, version) => (await openVersion(server, version, ports)).verified,
    freshness: async () => freshnessOf(await views.current()),
    offlineBundle: (server, version, since = []) => packOffline(server, version, since, ports),
    waiting: () => listWaiting(ports),
    explain: (id) => explainQuestion(id, ports),
    consent: (id, decision) => answerQuestion(id, decision, ports),
    refresh: async () => {
      await views.current(true)
    },
    close: () => {
      ports.warm.clear()
      ports.compared.clear()
      ports.neighbours.clear()
      return Promise.resolve()
    },
  }
}

function apiOf({ offline, registry, token }: HostOptions): RegistryApi {
  if (offline !== undefined) return offlineApi(parseOffline(offline))
  if (typeof registry === 'string') {
    return registryApi(registry, { timeoutMs: REQUEST_MS, ...(token !== undefined && { token }) })
  }
  if (token !== undefined) refuse('usage', 'a token is for a registry that is named by its URL')
  return registry
}

// ------------------------------------------------------------------------------------------- one view for all

interface ViewKeeper {
  readonly load: () => Promise<View>
  readonly refreshSeconds: (view: View) => number
  readonly now: () => number
  readonly emit: (event: HostEvent) => void
  readonly identity: string
}

/** One status serves all servers of a registry; requests that meet share it. */
function keepView({ load, refreshSeconds, now, emit, identity }: ViewKeeper): {
  current: (newer?: boolean) => Promise<View>
} {
  let view: View | undefined
  let dueAt = 0
  let running: Promise<View> | undefined

  async function reload(): Promise<View> {
    try {
      const next = await load()
      const seconds = next.unreachable ? RETRY_SECONDS : refreshSeconds(next)
      // A tenth of jitter: hosts that started together do not ask together.
      dueAt = now() + seconds * 1000 * (0.9 + Math.random() / 10)
      view = keepSame(view, next)
      emit(toldOf(view, identity))
      return view
    } catch (error) {
      // What was known is not good enough to go on with: the next request asks again.
      view = undefined
      emit({ type: 'refresh-failed', identity, ...codeOf(error) })
      throw error
    }
  }

  return {
    current: (newer = false) => {
      const isUsable = view !== undefined && now() < dueAt && now() >= dueAt - MAX_VIEW_MS
      if (view !== undefined && isUsable && !newer) return Promise.resolve(view)
      running ??= reload().finally(() => (running = undefined))
      return running
    },
  }
}

/** A clock that was set back must not stretch the time until the next refresh. */
const MAX_VIEW_MS = 86_400_000

/** The same object for the same knowledge, so that what was derived from it stays warm. */
function keepSame(old: View | undefined, next: View): View {
  const isSame =
    old !== undefined &&
    old.status.text === next.status.text &&
    old.root.version === next.root.version &&
    old.standing === next.standing &&
    old.unreachable === next.unreachable &&
    old.newestAttested === next.newestAttested
  return isSame ? old : next
}

function toldOf({ status, unreachable }: View, identity: string): HostEvent {
  return {
    type: 'refreshed',
    identity,
    size: status.checkpoint.size,
    attestedAt: status.attestedAt,
    independentWitnesses: status.independentWitnesses,
    unreachable,
  }
}

function codeOf(error: unknown): { code: string; detail: ErrorDetail } {
  if (error instanceof CountersignError) return { code: error.code, detail: error.detail }
  return { code: 'failed', detail: {} }
}

// ---------------------------------------------------------------------------------- without a live server

interface OpenedVersion {
  readonly verified: VerifiedManifest
  readonly view: View
}

async function openVersion(
  server: string,
  version: string | undefined,
  ports: ReviewPorts,
): Promise<OpenedVersion> {
  const { name } = parseServerName(server)
  const view = await ports.view()
  const freshness = ports.freshnessOf(view)
  if (freshness.status !== 'ok') {
    refuse('stale', 'what is known of the registry is too old', { step: 4, maxSeconds: freshness.maxSeconds })
  }
  const listed = await listVersions(name, ports)
  const summary = version === undefined ? newestOf(listed) : listed.find((one) => one.version === version)
  if (summary === undefined)
    refuse('unknown-server', 'the registry has no such version', { step: 8, server: name })
  assertListed(summary, name)
  const verified = await ports.library.open(summary.manifest, { server: name, version: summary.version })
  return { verified, view: await ports.view() }
}

async function listVersions(server: string, { api }: ReviewPorts): Promise<VersionSummary[]> {
  const listed = await api.fetchVersions(server)
  if (listed.length === 0)
    refuse('unknown-server', 'the registry does not know this server', { step: 8, server })
  return listed
}

function newestOf(listed: readonly VersionSummary[]): VersionSummary | undefined {
  const order = newestFirst(listed)
  return order.find(isUsable) ?? order[0]
}

/** What the registry itself does not call approved is refused; what it does call so is proved. */
function assertListed({ status, version }: VersionSummary, server: string): void {
  if (status === 'approved' || status === 'deprecated' || status === 'revoked') return
  refuse(status, `the registry says: ${status}`, { step: 7, server, version })
}

async function packOffline(
  server: string,
  version: string | undefined,
  since: readonly number[],
  ports: ReviewPorts,
): Promise<Uint8Array> {
  const { verified, view } = await openVersion(server, version, ports)
  const { api } = ports
  const { status, root } = view
  const bundle = await api.fetchBundle(verified.digest)
  const proofs = neededProofs(view, openBundle(bundle), since).map(async (one) => ({
    ...one,
    proof: await api.fetchConsistency(one.from, one.to, one.log),
  }))
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
  const listOf = async ({ snapshot, revocationsHex }: ProvedSnapshot): Promise<string> =>
    snapshot.count === 0 ? '' : decode(await api.fetchRevocations(revocationsHex))
  return formatOffline({
    format: OFFLINE_FORMAT,
    registry: root.identity,
    server: verified.server,
    version: verified.version,
    role: verified.role,
    manifest: verified.digest,
    bundle: decode(bundle),
    status: status.text,
    revocations: await listOf(status),
    ...(status.denials && { denials: await listOf(status.denials) }),
    consistency: await Promise.all(proofs),
    roots: await fetchRoots(api, root.version),
  })
}

/** From the bundle's checkpoint, and from what a host may remember of the active log or of a frozen one. */
function neededProofs(
  view: View,
  opened: OpenedBundle,
  since: readonly number[],
): { readonly from: number; readonly to: number; readonly log?: string }[] {
  const { checkpoint } = view.status
  const frozen = view.root.logs.flatMap((log) =>
    log.status === 'frozen' ? [{ to: log.final.size, log: log.origin }] : [],
  )
  const ends: readonly { to: number; log?: string }[] = [{ to: checkpoint.size }, ...frozen]
  const goal = goalOf(view, opened)
  const own = goal && { to: goal.size, ...(goal.log !== undefined && { log: goal.log }) }
  const all = [
    ...(own === undefined ? [] : [{ from: opened.size, ...own }]),
    ...since.flatMap((from) => ends.map((end) => ({ from, ...end }))),
  ].filter(({ from, to }) => from > 0 && from < to)
  return [...new Map(all.map((one) => [JSON.stringify([one.from, one.log]), one])).values()]
}

async function fetchRoots(api: RegistryApi, newest: number): Promise<string[]> {
  const notes: string[] = []
  for (let version = 2; version <= newest; version++) {
    const note = await api.fetchRoot(version)
    if (note !== undefined) notes.push(note)
  }
  return notes
}
