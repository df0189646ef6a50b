import type { Digest } from '../core/index.js'

/** A version as the registry lists it. A hint: what counts is proved from its bundle. */
export interface VersionSummary {
  readonly version: string
  readonly manifest: Digest
  readonly role: 'publisher' | 'voucher'
  readonly status: 'pending' | 'approved' | 'rejected' | 'withdrawn' | 'deprecated' | 'revoked'
  readonly index: number
}

/** A server that is said to speak for a package or URL. A hint as well. */
export interface LookupResult {
  readonly server: string
  readonly role: 'publisher' | 'voucher'
  readonly versions: readonly VersionSummary[]
}

/** What a server is looked up by: `npm:NAME` or `npm:NAME@VERSION`, or a URL. */
export interface LookupQuery {
  readonly package?: string
  readonly url?: string
}

/**
 * What a host asks a registry, or any dumb mirror of it. Nothing that comes back is believed before it is verified.
 * Throws `registry-unreachable` when there was no answer and `registry-error` when the answer is none of these.
 */
export interface RegistryApi {
  fetchStatus(): Promise<Uint8Array>
  fetchBundle(digest: Digest): Promise<Uint8Array>
  /**
   * The hashes of the proof that the tree of size `from` is a prefix of the one of size `to`: of the active log, or
   * of the frozen one that `log` names by its origin.
   */
  fetchConsistency(from: number, to: number, log?: string): Promise<Uint8Array[]>
  fetchRevocations(rootHex: string): Promise<Uint8Array>
  /** Undefined when there is no such version (yet). */
  fetchRoot(version: number | 'latest'): Promise<string | undefined>
  /** Newest first; empty when the registry does not know the server. */
  fetchVersions(server: string): Promise<VersionSummary[]>
  lookup(query: LookupQuery): Promise<LookupResult[]>
  /** What the organisation asks of its hosts, signed or not; undefined where there is nothing. */
  fetchHostPolicy?(): Promise<string | undefined>
  /** Shows the registry a signed note of its own that it may not remember. Absent where nobody listens. */
  reportSeen?(note: string): Promise<void>
}

/**
 * Reads a document of a registry by its path, such as `v1/status`; undefined when there is none.
 * Throws `registry-unreachable` when nothing can be read, `registry-error` for more than `maxBytes`.
 */
export type ReadDocument = (path: string, maxBytes: number) => Promise<Uint8Array | undefined>
