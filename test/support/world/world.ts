import {
  rootFingerprint,
  type ApproveEvent,
  type Denials,
  type Digest,
  type KeyRole,
  type LogEvent,
  type RevocationLine,
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
  type RegistryApi,
  type Trust,
  type VersionSummary,
} from 'countersign'
import { apiOf, later, summaryOf } from './api.js'
import { bundleBytes, chainOf, type BundleChange } from './bundles.js'
import type { Draft } from './drafts.js'
import type { Keys } from './keys.js'
import type { Ledger, NoteChange, StatusChange } from './ledger.js'
import type { KeyNames, KeyRevocation, Namespaces, Publisher } from './namespaces.js'
import type { Liftable, Publications, Published, PublishChange } from './publications.js'

export const BLOCK: HostPolicy = { mode: 'enforce', unknownServers: 'block', managed: false }

/** A registry of which the parts stand in files of their own: what a test tells it to do, and what it shows. */
export class World {
  readonly identity: string
  readonly keys: Keys
  readonly #ledger: Ledger
  readonly #namespaces: Namespaces
  readonly #publications: Publications

  constructor(ledger: Ledger, namespaces: Namespaces, publications: Publications) {
    this.identity = ledger.keys.identity
    this.keys = ledger.keys
    this.#ledger = ledger
    this.#namespaces = namespaces
    this.#publications = publications
  }

  /** Same keys, same past, its own future. */
  fork(): World {
    const ledger = this.#ledger.fork()
    return new World(ledger, this.#namespaces.fork(ledger), this.#publications.fork(ledger))
  }

  // ----------------------------------------------------------------------------------------------- clock

  get clock(): number {
    return this.#ledger.clock
  }

  /** Moves the registry's clock and refreshes its status with a new batch. */
  tick(seconds: number): void {
    this.wait(seconds)
    this.append()
  }

  /** Moves the clock alone: the status gets old. */
  wait(seconds: number): void {
    this.#ledger.clock += seconds
  }

  // ------------------------------------------------------------------------------------------------ root

  /** Signs a version of the root and serves it; the next snapshots know of it only when `announce`d. */
  signRoot(version: number, change?: Partial<TrustRootBody>, by?: readonly Signer[]): string {
    return this.#ledger.roots.sign(version, change, by)
  }

  /** Logs a signed root version: from here on snapshots carry its number. */
  announceRoot(version: number): void {
    this.#ledger.announceRoot(version)
  }

  /** The newest version that was signed. */
  get newestRoot(): string {
    const { roots } = this.#ledger
    return roots.note(roots.count) ?? ''
  }

  get root(): TrustRoot {
    return this.#ledger.roots.first
  }

  get fingerprint(): Digest {
    return rootFingerprint(this.root.text)
  }

  get trust(): Trust {
    return { identity: this.identity, rootNote: this.root.note, fingerprint: this.fingerprint }
  }

  // ------------------------------------------------------------------------------------------------- log

  /** Of the active log. */
  get origin(): string {
    return this.#ledger.logs.active.origin
  }

  /** Position of the active log's entry 0. */
  get base(): number {
    return this.#ledger.logs.active.base
  }

  /** Of the active log. */
  get size(): number {
    return this.#ledger.logs.size
  }

  /** Logs leaves as they are, and a snapshot; returns the position of the first. */
  append(...events: readonly (LogEvent | string)[]): number {
    return this.#ledger.append(...events)
  }

  leaf(index: number, origin?: string): string {
    return this.#ledger.logs.leaf(index, origin)
  }

  inclusion(index: number, size?: number, origin?: string): Uint8Array[] {
    return this.#ledger.logs.inclusion(index, size, origin)
  }

  consistency(from: number, to?: number, origin?: string): Uint8Array[] {
    return this.#ledger.logs.consistency(from, to, origin)
  }

  /**
   * Freezes the active log, where told by cutting off what came later, and starts its successor under the next root. What
   * was published behind the cut is gone, as it is from a backup.
   */
  succeed({ size = this.size, signer }: { readonly size?: number; readonly signer?: Signer } = {}): void {
    this.#ledger.succeed(size, signer)
    this.#publications.cutOff(this.base)
  }

  /** A checkpoint note at a size, cosigned at the world's clock unless told otherwise. */
  note(size?: number, change?: NoteChange): string {
    return this.#ledger.note(size, change)
  }

  /** The status document; `snapshotOf`: the snapshot of that older size under the newest checkpoint. */
  statusBytes(change?: StatusChange): Uint8Array {
    return this.#ledger.statusBytes(change)
  }

  /** From here on nothing is published: the quorum does not answer. Revocations show as denials. */
  hold(): void {
    this.#ledger.hold()
  }

  /** The quorum answers again. */
  publishHeld(): void {
    this.#ledger.publishHeld()
  }

  /** What is committed and waits for its quorum: the log's signature alone. */
  denials(): Denials {
    return this.#ledger.denials()
  }

  // ------------------------------------------------------------------------------------------- namespaces

  /** Enrols a namespace: its own key, and a sign key endorsed by it. */
  enrol(namespace: string, names: KeyNames = {}): Publisher {
    return this.#namespaces.enrol(namespace, names)
  }

  addKey(publisher: Publisher, role: KeyRole, added: Signer, by?: Signer): number {
    return this.#namespaces.addKey(publisher, role, added, by)
  }

  revokeKey(publisher: Publisher, kid: string, change: KeyRevocation = {}): number {
    return this.#namespaces.revokeKey(publisher, kid, change)
  }

  latestAbout(namespace: string): number {
    return this.#namespaces.latestAbout(namespace)
  }

  // -------------------------------------------------------------------------------------------- manifests

  /** Signs and logs a manifest. `forge`: logs what this makes of the envelope. */
  publish(publisher: Publisher, draft: Draft, change: PublishChange = {}): Published {
    return this.#publications.publish(publisher, draft, change)
  }

  /** Logs the approval of a publication, as the registry and its approvers sign it. */
  approve(published: Published, change?: Partial<ApproveEvent>, by?: readonly Signer[]): Published {
    return this.#publications.approve(published, change, by)
  }

  /** Published and approved. */
  release(publisher: Publisher, draft: Draft): Published {
    return this.approve(this.publish(publisher, draft))
  }

  chainOf(published: Published): number[] {
    return chainOf(this.#ledger.logs, published)
  }

  bundleBytes(published: Published, change: BundleChange = {}): Uint8Array {
    return bundleBytes(this.#ledger, this.#publications, published, change)
  }

  // ------------------------------------------------------------------------------------------ revocations

  revoke(line: RevocationLine): void {
    this.revokeAll([line])
  }

  /** Many lines in one batch. */
  revokeAll(lines: readonly RevocationLine[]): void {
    this.#ledger.revoke(lines)
  }

  /** What no honest registry does without a logged reinstatement: the line is gone from the next snapshot. */
  lift(line: RevocationLine): void {
    this.#ledger.lift(line)
  }

  /** Lifts a line as a registry does: the decision is logged, and bundles show it from then on. */
  reinstate(line: Liftable, by?: readonly Signer[]): number {
    return this.#publications.reinstate(line, by)
  }

  revocationBytes(): Uint8Array {
    return this.#ledger.revocations.bytes
  }

  // ------------------------------------------------------------------------------------------- for hosts

  summary(published: Published): VersionSummary {
    return summaryOf(this.#ledger, published)
  }

  /** The registry as hosts see it; any answer can be replaced. */
  api(change: Partial<RegistryApi> = {}): RegistryApi {
    return { ...apiOf(this.#ledger, this.#publications), ...change }
  }

  /** The registry as it is now, for ever. */
  frozenApi(change: Partial<RegistryApi> = {}): RegistryApi {
    return this.fork().api(change)
  }

  /** An old view whose log proves today that it is a prefix: what a lagging mirror shows. */
  lagging(old: RegistryApi): RegistryApi {
    return { ...old, fetchConsistency: (from, to, log) => later(() => this.consistency(from, to, log)) }
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
