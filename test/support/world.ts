/**
 * A whole registry in memory, made of the protocol core alone: root key, log, timestamper, witnesses, namespaces, keys,
 * publications, approvals, revocations, old views and forks. No HTTP, no database, no clock but its own.
 *
 * How to use it (attack tests of the host and the guard do):
 *
 *     const world = openWorld()                                  // { witnesses: 2, approvers: 2 } and more: WorldOptions
 *     const acme = world.enrol('com.acme')                       // { namespace, own, sign }: logged with snapshots
 *     const v1 = world.release(acme, weather())                  // publish + approve; weather() is a manifest draft
 *     const host = await world.host()                            // openHost at the world's clock, memory in process
 *     await host.review({ server: v1.server, slot: 'x', tools: toolsOf(v1) })
 *
 *     world.publish(acme, draft) · approve(published) · revoke({ kind: 'manifest', digest }) · lift(line)
 *     world.addKey(acme, 'sign', signer) · revokeKey(acme, kid, { invalidFrom })
 *     world.tick(seconds)                                        // moves the clock and refreshes the status
 *     world.clock                                                // POSIX seconds; hosts made here follow it
 *     world.api({ fetchStatus: … })                              // the registry as hosts see it, parts replaced at will
 *     world.frozenApi()                                          // the same, as it is now, for ever: an old view
 *     world.lagging(old)                                         // that old view, able to prove that it is a prefix
 *     world.fork()                                               // same keys, same past, its own future
 *     world.statusBytes({ snapshotOf: size }) · bundleBytes(v1) · revocationBytes() · consistency(from, to)
 *     world.append(event)                                        // any leaf at all, for forged histories
 *     world.succeed({ size })                                    // freezes the log (there) and starts its successor
 *     world.hold() · world.publishHeld()                         // commits without a quorum in between: denials
 *     world.reinstate({ kind: 'manifest', digest })              // lifts a line, logged, shown by later bundles
 *     mutate(bytes, at, bit)                                     // one changed byte
 *
 * Every method that logs something ends with a snapshot, as every batch of a registry does.
 */
import {
  activeLog,
  canonicalize,
  checkManifest,
  consistencyProof,
  cosigner,
  encodeBase64,
  encodeKeyX,
  envelopeDigest,
  eventPayload,
  formatBundle,
  formatCheckpointBody,
  formatEvent,
  formatManifest,
  formatNote,
  formatRevocationLine,
  formatRevocations,
  formatStatus,
  formatTime,
  formatTrustRootText,
  formatVerifierKey,
  inclusionProof,
  leafHash,
  manifestDigest,
  merkleRoot,
  noteSigner,
  openTrustRoot,
  parseServerName,
  publishLeaf,
  refuse,
  registryIdentity,
  revocationRoot,
  rootFingerprint,
  rootNoteDigest,
  sha256,
  signDetached,
  signEnvelope,
  signerFromSeed,
  signKeyAddEvent,
  signKeyRevokeEvent,
  signNamespaceEvent,
  sortRevocations,
  toHex,
  toolDigest,
  utf8Bytes,
  type ApproveEvent,
  type Denials,
  type Digest,
  type JsonObject,
  type JsonValue,
  type KeyRole,
  type LogEvent,
  type Manifest,
  type ProvenLeaf,
  type RevocationLine,
  type RevokeReason,
  type Signer,
  type TrustRoot,
  type TrustRootBody,
} from 'countersign/core'
import {
  memoryInProcess,
  openHost,
  type Host,
  type HostOptions,
  type HostPolicy,
  type LookupResult,
  type RegistryApi,
  type Trust,
  type VersionSummary,
} from 'countersign'

/** 2026-11-01T00:00:00Z */
export const START = 1_793_491_200
const POLICY_DIGEST: Digest = `sha256:${'0'.repeat(64)}`

/** The same signer for the same name, in every run. */
export function signerNamed(name: string): Signer {
  return signerFromSeed(sha256(utf8Bytes(`countersign test key ${name}`)))
}

export interface WorldOptions {
  readonly name?: string
  readonly witnesses?: number
  /** How many witnesses the quorum asks for; all of them when absent. */
  readonly quorum?: number
  /** Approver keys in the root, all of which must sign. */
  readonly approvers?: number
  /** Authority keys in the root, all of which must sign. */
  readonly authorities?: number
  readonly freshness?: TrustRootBody['freshness']
  readonly expires?: number
}

export interface Publisher {
  readonly namespace: string
  readonly own: Signer
  readonly sign: Signer
}

export interface Published {
  readonly manifest: Manifest
  readonly server: string
  readonly version: string
  readonly digest: Digest
  readonly envelope: string
  readonly kid: string
  readonly namespace: string
  readonly index: number
  approveIndex?: number
}

export type Draft = Partial<Manifest> & { readonly server: string; readonly version: string }

/** One log of the registry; positions of its leaves start at `base`. */
interface Log {
  readonly origin: string
  readonly signer: Signer
  readonly base: number
  readonly leaves: string[]
  readonly hashes: Uint8Array[]
}

/** What was published when the quorum stopped answering. */
interface Held {
  readonly size: number
  readonly revocations: string
}

interface Listed {
  readonly root: Uint8Array
  readonly bytes: Uint8Array
}

interface State {
  /** In order of succession, the active one last. */
  readonly logs: Log[]
  /** Every revocation list there was, by its root in hex. */
  readonly lists: Map<string, Uint8Array>
  /** The current one, until a line comes or goes. */
  listed?: Listed | undefined
  readonly reinstated: { readonly position: number; readonly target: string }[]
  held?: Held | undefined
  published: Published[]
  readonly revoked: Set<string>
  /** Index of the latest event about a namespace. */
  readonly latest: Map<string, number>
  readonly roots: string[]
  clock: number
  rootVersion: number
}

/** The keys of a registry, by what its name is. */
function keysOf(name: string, options: WorldOptions) {
  const many = (what: string, count = 0): Signer[] =>
    Array.from({ length: count }, (_, i) => signerNamed(`${name} ${what} ${i + 1}`))
  return {
    root: signerNamed(`${name} root`),
    log: signerNamed(`${name} log`),
    timestamper: signerNamed(`${name} timestamper`),
    witnesses: many('witness', options.witnesses),
    approvers: many('approver', options.approvers),
    authorities: many('authority', options.authorities),
  }
}

type Keys = ReturnType<typeof keysOf>

export function openWorld(options: WorldOptions = {}): World {
  const keys = keysOf(options.name ?? 'registry', options)
  const identity = registryIdentity(keys.root.publicKey)
  const state: State = {
    logs: [{ origin: `${identity}/log`, signer: keys.log, base: 0, leaves: [], hashes: [] }],
    lists: new Map(),
    reinstated: [],
    published: [],
    revoked: new Set(),
    latest: new Map(),
    roots: [],
    clock: START,
    rootVersion: 1,
  }
  const world = new World(options, keys, state)
  world.signRoot(1)
  world.append({ v: 1, t: 'root', version: 1, digest: rootNoteDigest(state.roots[0] ?? '') })
  return world
}

export class World {
  readonly identity: string
  readonly options: WorldOptions
  readonly keys: Keys
  readonly #state: State

  constructor(options: WorldOptions, keys: Keys, state: State) {
    this.options = options
    this.keys = keys
    this.identity = registryIdentity(keys.root.publicKey)
    this.#state = state
  }

  // ------------------------------------------------------------------------------------------------ root

  get #log(): Log {
    return this.#state.logs.at(-1) ?? refuse('usage', 'no log')
  }

  /** Of the active log. */
  get origin(): string {
    return this.#log.origin
  }

  /** Position of the active log's entry 0. */
  get base(): number {
    return this.#log.base
  }

  /** The logs as the next trust root names them: frozen at their ends, the last one active. */
  #trustedLogs(): TrustRootBody['logs'] {
    return this.#state.logs.map((log, i, { length }) => {
      const vkey = formatVerifierKey(log.origin, 1, log.signer.publicKey)
      if (i === length - 1) return { origin: log.origin, vkey, status: 'active' }
      const final = { size: log.leaves.length, root: encodeBase64(merkleRoot(log.hashes)) }
      return { origin: log.origin, vkey, status: 'frozen', final }
    })
  }

  rootBody(change: Partial<TrustRootBody> = {}): TrustRootBody {
    const { options, keys, identity } = this
    const xs = (signers: readonly Signer[]): string[] => signers.map((one) => encodeKeyX(one.publicKey))
    return {
      expires: formatTime(options.expires ?? START + 365 * 86_400),
      freshness: options.freshness ?? { refreshSeconds: 300, maxSeconds: 86_400, offlineMaxSeconds: 604_800 },
      logs: this.#trustedLogs(),
      timestamper: formatVerifierKey(`${identity}/timestamper`, 4, keys.timestamper.publicKey),
      policy: this.#policyText(),
      rootKeys: [formatVerifierKey(`${identity}/root`, 1, keys.root.publicKey)],
      threshold: 1,
      ...(keys.approvers.length > 0 && {
        approvers: { keys: xs(keys.approvers), threshold: keys.approvers.length },
      }),
      ...(keys.authorities.length > 0 && {
        authorities: { keys: xs(keys.authorities), threshold: keys.authorities.length },
      }),
      ...change,
    }
  }

  #policyText(): string {
    const { witnesses } = this.keys
    if (witnesses.length === 0) return 'quorum none\n'
    const lines = witnesses.map(
      (one, i) => `witness w${i + 1} ${formatVerifierKey(`witness.example/w${i + 1}`, 4, one.publicKey)}\n`,
    )
    const names = witnesses.map((_, i) => `w${i + 1}`).join(' ')
    return `${lines.join('')}group g ${this.options.quorum ?? witnesses.length} ${names}\nquorum g\n`
  }

  /** Signs a version of the root and serves it; the next snapshots know of it only when `announce`d. */
  signRoot(
    version: number,
    change: Partial<TrustRootBody> = {},
    by: readonly Signer[] = [this.keys.root],
  ): string {
    const text = formatTrustRootText(this.identity, version, this.rootBody(change))
    const note = formatNote(
      text,
      by.map((signer) => noteSigner(`${this.identity}/root`, signer).sign(text)),
    )
    this.#state.roots[version - 1] = note
    return note
  }

  /** Logs a signed root version: from here on snapshots carry its number. */
  announceRoot(version: number): void {
    this.#state.rootVersion = version
    this.append({ v: 1, t: 'root', version, digest: rootNoteDigest(this.#state.roots[version - 1] ?? '') })
  }

  /** The newest version that was signed. */
  get newestRoot(): string {
    return this.#state.roots.at(-1) ?? ''
  }

  get root(): TrustRoot {
    return openTrustRoot(this.#state.roots[0] ?? '')
  }

  get fingerprint(): Digest {
    return rootFingerprint(this.root.text)
  }

  get trust(): Trust {
    return { identity: this.identity, rootNote: this.root.note, fingerprint: this.fingerprint }
  }

  // ------------------------------------------------------------------------------------------------- log

  /** Of the active log. */
  get size(): number {
    return this.#log.leaves.length
  }

  /**
   * Freezes the active log, where told by cutting off what came later, and starts its successor under the next root. What
   * was published behind the cut is gone, as it is from a backup.
   */
  succeed(change: { readonly size?: number; readonly signer?: Signer } = {}): void {
    const { logs } = this.#state
    const old = this.#log
    const size = change.size ?? old.leaves.length
    const frozen = { ...old, leaves: old.leaves.slice(0, size), hashes: old.hashes.slice(0, size) }
    const number = logs.length + 1
    const signer = change.signer ?? signerNamed(`${this.options.name ?? 'registry'} log ${number}`)
    const origin = `${this.identity}/log-${number}`
    const base = frozen.base + size
    logs.splice(-1, 1, frozen, { origin, signer, base, leaves: [], hashes: [] })
    this.#state.published = this.#state.published.filter((one) => (one.approveIndex ?? one.index) < base)
    this.#state.held = undefined
    const version = this.#state.roots.length + 1
    const note = this.signRoot(version)
    this.#state.rootVersion = version
    const root = encodeBase64(merkleRoot(frozen.hashes))
    this.append(
      { v: 1, t: 'continue', origin: frozen.origin, size, root },
      { v: 1, t: 'root', version, digest: rootNoteDigest(note) },
    )
  }

  /** From here on nothing is published: the quorum does not answer. Revocations show as denials. */
  hold(): void {
    this.#state.held = { size: this.size, revocations: this.revocationsHex() }
  }

  /** The quorum answers again. */
  publishHeld(): void {
    this.#state.held = undefined
  }

  revocationsHex(): string {
    return toHex(this.#listed.root)
  }

  get #listed(): Listed {
    const { revoked } = this.#state
    if (this.#state.listed !== undefined) return this.#state.listed
    const lines = sortRevocations(revoked)
    return (this.#state.listed = { root: revocationRoot(lines), bytes: formatRevocations(lines) })
  }

  #addLines(lines: readonly RevocationLine[]): void {
    for (const line of lines) this.#state.revoked.add(formatRevocationLine(line))
    this.#state.listed = undefined
  }

  #dropLine(line: RevocationLine): void {
    this.#state.revoked.delete(formatRevocationLine(line))
    this.#state.listed = undefined
  }

  get clock(): number {
    return this.#state.clock
  }

  /** Moves the registry's clock and refreshes its status with a new batch. */
  tick(seconds: number): void {
    this.#state.clock += seconds
    this.append()
  }

  /** Moves the clock alone: the status gets old. */
  wait(seconds: number): void {
    this.#state.clock += seconds
  }

  /** Logs leaves as they are, and a snapshot; returns the position of the first. */
  append(...events: readonly (LogEvent | string)[]): number {
    const first = this.base + this.size
    for (const event of events) this.#push(typeof event === 'string' ? event : formatEvent(event))
    this.#push(formatEvent(this.snapshotEvent()))
    this.#state.lists.set(this.revocationsHex(), this.revocationBytes())
    return first
  }

  /** What an honest snapshot at the next index says. */
  snapshotEvent(): Extract<LogEvent, { t: 'snapshot' }> {
    return {
      v: 1,
      t: 'snapshot',
      asOf: this.size,
      revocations: encodeBase64(this.#listed.root),
      count: this.#state.revoked.size,
      rootVersion: this.#state.rootVersion,
    }
  }

  #push(leaf: string): void {
    this.#log.leaves.push(leaf)
    this.#log.hashes.push(leafHash(utf8Bytes(leaf)))
  }

  /** The log of that origin; the active one when absent. */
  #logOf(origin: string = this.origin): Log {
    return (
      this.#state.logs.find((log) => log.origin === origin) ??
      refuse('registry-error', 'no such log', { origin })
    )
  }

  /** The log in which a position lies. */
  #at(position: number): Log {
    return this.#state.logs.findLast((log) => log.base <= position) ?? this.#log
  }

  #reader({ hashes }: Log) {
    return (level: number, index: number): Uint8Array =>
      merkleRoot(hashes.slice(index * 2 ** level, (index + 1) * 2 ** level))
  }

  leaf(index: number, origin?: string): string {
    return this.#logOf(origin).leaves[index] ?? refuse('io', 'no such leaf')
  }

  treeRoot(size: number = this.size, origin?: string): Uint8Array {
    return merkleRoot(this.#logOf(origin).hashes.slice(0, size))
  }

  inclusion(index: number, size: number = this.size, origin?: string): Uint8Array[] {
    return inclusionProof(index, size, this.#reader(this.#logOf(origin)))
  }

  consistency(from: number, to: number = this.size, origin?: string): Uint8Array[] {
    const log = this.#logOf(origin)
    if (from > to || to > log.leaves.length) refuse('registry-error', 'no such tree', { from, to })
    return consistencyProof(from, to, this.#reader(log))
  }

  /** A checkpoint note at a size, cosigned at the world's clock unless told otherwise. */
  note(
    size: number = this.size,
    change: {
      readonly at?: number
      readonly cosigners?: readonly ('timestamper' | number)[]
      readonly origin?: string
      /** Origin of the log it is of; the active one when absent. */
      readonly log?: string
    } = {},
  ): string {
    const { keys, identity } = this
    const at = change.at ?? this.clock
    const log = this.#logOf(change.log)
    const body = formatCheckpointBody({
      origin: change.origin ?? log.origin,
      size,
      root: this.treeRoot(size, log.origin),
    })
    const wanted = change.cosigners ?? ['timestamper', ...keys.witnesses.map((_, i) => i)]
    const lines = wanted.map((one) => {
      const named = one === 'timestamper' ? `${identity}/timestamper` : `witness.example/w${one + 1}`
      const signer = one === 'timestamper' ? keys.timestamper : keys.witnesses[one]
      return cosigner(named, signer ?? refuse('usage', 'no such witness')).cosign(body, at)
    })
    return formatNote(body, [noteSigner(log.origin, log.signer).sign(body), ...lines])
  }

  /** The status document; `snapshotOf`: the snapshot of that older size under the newest checkpoint. */
  statusBytes(
    change: {
      readonly note?: string
      readonly snapshotOf?: number
      readonly registry?: string
      readonly event?: string
    } = {},
  ): Uint8Array {
    const { held } = this.#state
    const size = held?.size ?? this.size
    const last = (change.snapshotOf ?? size) - 1
    return formatStatus({
      format: 'countersign/status/v1',
      registry: change.registry ?? this.identity,
      checkpoint: change.note ?? this.note(size),
      snapshot: { event: change.event ?? this.leaf(last), proof: this.inclusion(last, size) },
      ...(held && held.revocations !== this.revocationsHex() && { denials: this.denials() }),
    })
  }

  /** What is committed and waits for its quorum: the log's signature alone. */
  denials(): Denials {
    const last = this.size - 1
    const snapshot = { event: this.leaf(last), proof: this.inclusion(last) }
    return { checkpoint: this.note(this.size, { cosigners: [] }), snapshot }
  }

  revocationBytes(): Uint8Array {
    return this.#listed.bytes
  }

  // ------------------------------------------------------------------------------------------- namespaces

  /** Enrols a namespace: its own key, and a sign key endorsed by it. */
  enrol(namespace: string, names: { readonly own?: string; readonly sign?: string } = {}): Publisher {
    const own = signerNamed(names.own ?? `${namespace} own`)
    const sign = signerNamed(names.sign ?? `${namespace} sign`)
    const about = { namespace, proof: 'admin' as const, account: 'acc-1' }
    const event = signNamespaceEvent(about, this.identity, own)
    const sigs = this.keys.authorities.map((by) =>
      signDetached('countersign-key-event+json', eventPayload(event, this.identity), by),
    )
    this.#state.latest.set(namespace, this.append({ ...event, ...(sigs.length > 0 && { sigs }) }))
    const publisher = { namespace, own, sign }
    this.addKey(publisher, 'sign', sign)
    return publisher
  }

  addKey(publisher: Publisher, role: KeyRole, added: Signer, by: Signer = publisher.own): number {
    const { namespace } = publisher
    const about = { namespace, role, after: this.latestAbout(namespace) }
    const index = this.append(signKeyAddEvent(about, this.identity, added, by))
    this.#state.latest.set(namespace, index)
    return index
  }

  latestAbout(namespace: string): number {
    return this.#state.latest.get(namespace) ?? 0
  }

  revokeKey(
    publisher: Publisher,
    kid: string,
    change: { readonly invalidFrom?: number; readonly by?: Signer; readonly reason?: RevokeReason } = {},
  ): number {
    const { namespace } = publisher
    const { invalidFrom, by = publisher.own, reason = 'compromise' } = change
    const about = {
      namespace,
      kid,
      reason,
      after: this.latestAbout(namespace),
      ...(invalidFrom !== undefined && { invalidFrom }),
    }
    const from = invalidFrom ?? this.base + this.size
    this.#addLines([{ kind: 'key', namespace, kid, invalidFrom: from }])
    const index = this.append(signKeyRevokeEvent(about, this.identity, by))
    this.#state.latest.set(namespace, index)
    return index
  }

  // -------------------------------------------------------------------------------------------- manifests

  /** Signs and logs a manifest. `forge`: logs what this makes of the envelope. */
  publish(
    publisher: Publisher,
    draft: Draft,
    change: {
      readonly by?: Signer
      readonly registry?: string
      readonly forge?: (envelope: string) => string
    } = {},
  ): Published {
    const by = change.by ?? publisher.sign
    const manifest = manifestOf(draft, change.registry ?? this.identity)
    const payload = formatManifest(manifest)
    const honest = signEnvelope('countersign-manifest+json', payload, by)
    const envelope = change.forge?.(honest) ?? honest
    const { server, version, role } = manifest
    const digest = manifestDigest(payload)
    const leaf = publishLeaf({
      server,
      version,
      role,
      kid: by.kid,
      manifest: digest,
      envelope: envelopeDigest(envelope),
    })
    const index = this.append(leaf)
    const { namespace } = publisher
    const published: Published = {
      manifest,
      server,
      version,
      digest,
      envelope,
      kid: by.kid,
      namespace,
      index,
    }
    this.#state.published.push(published)
    return published
  }

  /** The approve event of a publication, as the registry and its approvers sign it. */
  approveEvent(
    published: Published,
    change: Partial<ApproveEvent> = {},
    by: readonly Signer[] = this.keys.approvers,
  ) {
    const unsigned = {
      v: 1 as const,
      t: 'approve' as const,
      server: published.server,
      version: published.version,
      manifest: published.digest,
      policy: POLICY_DIGEST,
      deciders: ['acc-2'],
      after: published.index,
      ...change,
    }
    const payload = eventPayload(unsigned, this.identity)
    const sigs = by.map((signer) => signDetached('countersign-decision+json', payload, signer))
    return { ...unsigned, ...(sigs.length > 0 && { sigs }) }
  }

  approve(published: Published, change: Partial<ApproveEvent> = {}, by?: readonly Signer[]): Published {
    published.approveIndex = this.append(this.approveEvent(published, change, by))
    return published
  }

  /** Published and approved. */
  release(publisher: Publisher, draft: Draft): Published {
    return this.approve(this.publish(publisher, draft))
  }

  revoke(line: RevocationLine): void {
    this.#addLines([line])
    this.append()
  }

  /** Many lines in one batch. */
  revokeAll(lines: readonly RevocationLine[]): void {
    this.#addLines(lines)
    this.append()
  }

  /** What no honest registry does without a logged reinstatement: the line is gone from the next snapshot. */
  lift(line: RevocationLine): void {
    this.#dropLine(line)
    this.append()
  }

  /** Lifts a line as a registry does: the decision is logged, and bundles show it from then on. */
  reinstate(
    line: Exclude<RevocationLine, { kind: 'key' }>,
    by: readonly Signer[] = this.keys.approvers,
  ): number {
    const named = line.kind === 'server' ? { name: line.name } : { digest: line.digest }
    const unsigned = {
      v: 1 as const,
      t: 'reinstate' as const,
      target: line.kind,
      ...named,
      reason: 'was in error',
      deciders: ['acc-2', 'acc-3'],
      after: this.base + this.size - 1,
    }
    const payload = eventPayload(unsigned, this.identity)
    const sigs = by.map((signer) => signDetached('countersign-decision+json', payload, signer))
    this.#dropLine(line)
    const position = this.append({ ...unsigned, ...(sigs.length > 0 && { sigs }) })
    const target = line.kind === 'server' ? line.name : line.digest
    this.#state.reinstated.push({ position, target })
    return position
  }

  isRevoked(line: RevocationLine): boolean {
    return this.#state.revoked.has(formatRevocationLine(line))
  }

  /** Positions of the key chain of a publication: every namespace and key.add event of its namespace before it. */
  chainOf(published: Published): number[] {
    return this.#state.logs.flatMap(({ base, leaves }) =>
      leaves.flatMap((leaf, index) => {
        const event = JSON.parse(leaf) as { t: string; namespace?: string }
        const isKey = event.t === 'namespace' || event.t === 'key.add'
        const isBefore = base + index < published.index
        return isKey && event.namespace === published.namespace && isBefore ? [base + index] : []
      }),
    )
  }

  /** Reinstatements about a publication: of its manifest, its server and its tools. */
  #reinstatementsOf({ digest, server, manifest }: Published): number[] {
    const tools = manifest.tools.map(({ definition }) => toolDigest(definition))
    const about = new Set<string>([digest, server, ...tools])
    return this.#state.reinstated.flatMap(({ target, position }) => (about.has(target) ? [position] : []))
  }

  /**
   * The bundle of a publication. Without `size` its checkpoint is that of the log in which the last of its events stands,
   * two leaves behind that; leaves of logs before are proved at their ends.
   */
  bundleBytes(
    published: Published,
    change: {
      readonly size?: number
      readonly indexes?: readonly number[]
      readonly envelope?: string
      readonly registry?: string
      readonly note?: string
      /** Origin of the log of its checkpoint. */
      readonly log?: string
    } = {},
  ): Uint8Array {
    const usual = [
      ...this.chainOf(published),
      published.index,
      ...(published.approveIndex === undefined ? [] : [published.approveIndex]),
      ...this.#reinstatementsOf(published),
    ]
    const positions = [...(change.indexes ?? usual)].sort((a, b) => a - b)
    const log = change.log === undefined ? this.#at(positions.at(-1) ?? 0) : this.#logOf(change.log)
    const size = change.size ?? (positions.at(-1) ?? 0) - log.base + 2
    return formatBundle({
      format: 'countersign/bundle/v1',
      registry: change.registry ?? this.identity,
      envelope: change.envelope ?? published.envelope,
      checkpoint: change.note ?? this.note(size, { log: log.origin }),
      events: positions.map((position) => this.#provenLeaf(position, log, size)),
    })
  }

  #provenLeaf(position: number, log: Log, size: number): ProvenLeaf {
    const within = this.#at(position)
    const { origin, base, leaves } = within
    const index = position - base
    const event = this.leaf(index, origin)
    if (within === log) return { index, event, proof: this.inclusion(index, size, origin) }
    return { log: origin, index, event, proof: this.inclusion(index, leaves.length, origin) }
  }

  // ------------------------------------------------------------------------------------------- for hosts

  summary(published: Published): VersionSummary {
    const { digest, version, manifest, index, approveIndex } = published
    const isRevoked = this.isRevoked({ kind: 'manifest', digest })
    const status = isRevoked ? 'revoked' : approveIndex === undefined ? 'pending' : 'approved'
    return { version, manifest: digest, role: manifest.role, status, index }
  }

  /** The registry as hosts see it; any answer can be replaced. */
  api(change: Partial<RegistryApi> = {}): RegistryApi {
    const later = <T>(run: () => T): Promise<T> => new Promise((resolve) => resolve(run()))
    const find = (digest: Digest): Published =>
      this.#state.published.find((one) => one.digest === digest && one.approveIndex !== undefined) ??
      refuse('registry-error', 'no such bundle', { digest })
    return {
      fetchStatus: () => later(() => this.statusBytes()),
      fetchBundle: (digest) => later(() => this.bundleBytes(find(digest))),
      fetchConsistency: (from, to, log) => later(() => this.consistency(from, to, log)),
      fetchRevocations: (hex) =>
        later(() => this.#state.lists.get(hex) ?? refuse('registry-error', 'no such list', { hex })),
      fetchRoot: (version) =>
        later(() => this.#state.roots[(version === 'latest' ? this.#state.roots.length : version) - 1]),
      fetchVersions: (server) =>
        later(() =>
          this.#state.published.filter((one) => one.server === server).map((one) => this.summary(one)),
        ),
      lookup: (query) => later(() => this.#lookup(query)),
      ...change,
    }
  }

  #lookup(query: { readonly package?: string; readonly url?: string }): LookupResult[] {
    const found = this.#state.published.filter((one) => isAbout(one.manifest, query))
    const servers = [...new Set(found.map((one) => one.server))]
    const results = servers.map((server): LookupResult => {
      const mine = found.filter((one) => one.server === server)
      const role = mine[0]?.manifest.role ?? 'publisher'
      return {
        server,
        role,
        versions: mine.map((one) => this.summary(one)).filter((one) => one.status === 'approved'),
      }
    })
    return results.sort((a, b) => Number(a.role === 'voucher') - Number(b.role === 'voucher'))
  }

  /** The registry as it is now, for ever. */
  frozenApi(change: Partial<RegistryApi> = {}): RegistryApi {
    return this.fork().api(change)
  }

  /** An old view whose log proves today that it is a prefix: what a lagging mirror shows. */
  lagging(old: RegistryApi): RegistryApi {
    return {
      ...old,
      fetchConsistency: (from, to, log) => new Promise((resolve) => resolve(this.consistency(from, to, log))),
    }
  }

  /** Same keys, same past, its own future. */
  fork(): World {
    const { logs, lists, reinstated, held, published, revoked, latest, roots, clock, rootVersion } =
      this.#state
    return new World(this.options, this.keys, {
      logs: logs.map((log) => ({ ...log, leaves: [...log.leaves], hashes: [...log.hashes] })),
      lists: new Map(lists),
      reinstated: [...reinstated],
      held,
      published: published.map((one) => ({ ...one })),
      revoked: new Set(revoked),
      latest: new Map(latest),
      roots: [...roots],
      clock,
      rootVersion,
    })
  }

  /** A host at this world's clock; everything can be replaced. */
  async host(change: Partial<HostOptions> = {}): Promise<Host> {
    return openHost({
      registry: this.api(),
      trust: this.trust,
      memory: memoryInProcess(),
      policy: BLOCK,
      now: () => this.clock * 1000,
      ...change,
    })
  }
}

export const BLOCK: HostPolicy = { mode: 'enforce', unknownServers: 'block', managed: false }

function isAbout(manifest: Manifest, query: { readonly package?: string; readonly url?: string }): boolean {
  const about = manifest.role === 'voucher' ? manifest.subject : manifest
  const names = (about?.packages ?? []).flatMap((ref) => [
    `${ref.registryType}:${ref.identifier}`,
    ...(ref.version === undefined ? [] : [`${ref.registryType}:${ref.identifier}@${ref.version}`]),
  ])
  if (query.package !== undefined && names.includes(query.package)) return true
  return query.url !== undefined && (about?.remotes ?? []).some((remote) => remote.url === query.url)
}

// -------------------------------------------------------------------------------------------------- drafts

export function manifestOf(draft: Draft, registry: string): Manifest {
  const { namespace } = parseServerName(draft.server)
  const whole = {
    format: 'countersign/manifest/v1',
    registry,
    role: 'publisher',
    title: `of ${namespace}`,
    tools: [],
    ...draft,
  }
  return checkManifest(JSON.parse(canonicalize(whole)) as JsonValue)
}

/** A small tool; `change` replaces members of its definition. */
export function tool(name: string, change: JsonObject = {}): JsonObject {
  return {
    name,
    title: `The ${name} tool`,
    description: `Does ${name} and nothing else.`,
    inputSchema: {
      type: 'object',
      properties: { place: { type: 'string', description: 'Where' }, days: { type: 'integer', minimum: 1 } },
      required: ['place'],
    },
    annotations: { readOnlyHint: true },
    ...change,
  }
}

/** `com.acme/weather` with five tools, instructions and a prompt. */
export function weather(version = '1.0.0', change: Partial<Manifest> = {}): Draft {
  const names = ['forecast', 'alerts', 'history', 'stations', 'units']
  return {
    server: 'com.acme/weather',
    version,
    packages: [{ registryType: 'npm', identifier: '@acme/weather', version }],
    instructions: { definition: { text: 'Ask for a place first.' } },
    prompts: [{ definition: { name: 'plan', description: 'Plans a day.' } }],
    tools: names.map((name) => ({ definition: tool(name), permissions: [] })),
    ...change,
  }
}

/** The tools of a publication as an honest server lists them: plain objects of their own. */
export function toolsOf(published: Published): JsonObject[] {
  return published.manifest.tools.map((one) => structuredClone({ ...one.definition }))
}

/** The same bytes with one of them changed. */
export function mutate(bytes: Uint8Array, at: number, mask = 1): Uint8Array {
  const changed = bytes.slice()
  changed[at] = (changed[at] ?? 0) ^ mask
  return changed
}

/** Whose signature counts on a checkpoint of this root, for tests that build notes by hand. */
export const logOf = activeLog
