import { foldServerName, type CascadeKey, type PublishEvent, type TrustRoot } from '../../core/index.js'
import { StandingLines } from './standing-lines.js'

/** A key in a role, and the interval in which it counts. */
export interface Key extends CascadeKey {
  readonly publicKey: Uint8Array
  readonly role: string
  invalidFrom?: number
}

export interface Published {
  readonly server: string
  readonly version: string
  readonly digest: string
  readonly envelope: string
  readonly index: number
  readonly namespace: string
  readonly kid: string
  readonly role: PublishEvent['role']
}

/** Whom a trust root names besides the registry's own keys. */
export type RootPeople = Pick<TrustRoot, 'authorities' | 'approvers'>

/** What the decisions so far made of a manifest, revocations aside: a line says those. */
export type Standing = 'pending' | 'approved' | 'rejected' | 'withdrawn' | 'deprecated'

/** The frozen log that the one being replayed continues; `root` is base64. */
export interface Predecessor {
  readonly origin: string
  readonly size: number
  readonly root: string
}

/** What is known of the trust roots apart from the log. */
export interface KnownRoots {
  readonly registry: string
  readonly rootDigests: ReadonlyMap<number, string>
  /** People of the trust roots by version, as far as their notes were served and verified. */
  readonly rootPeople: ReadonlyMap<number, RootPeople>
}

/** What the leaves so far say. Every index is a position, counted through all logs of the identity. */
export interface State extends KnownRoots {
  readonly keys: Map<string, Key[]>
  /** The namespaces in lower case: two that differ in case would be two owners of one server name. */
  readonly folded: Set<string>
  readonly latest: Map<string, number>
  /** Publications by manifest digest. */
  readonly published: Map<string, Published[]>
  readonly byVersion: Map<string, Published>
  /** Standings by manifest digest. */
  readonly standings: Map<string, Standing>
  readonly lines: StandingLines
  /** Digests of the trust roots' notes by version, as the log has them. */
  readonly roots: Map<number, string>
  /** How many events of each kind. */
  readonly events: Map<string, number>
  rootVersion: number
  /** Position of the next leaf, and of the first one of its log. */
  position: number
  base: number
  /** What entry 0 of this log must continue; absent in the first log. */
  after?: Predecessor
  /** Whether the last leaf was a snapshot, as the last one of every batch is. */
  atSnapshot: boolean
  /** How many leaves could not be true. */
  lies: number
}

/** Before the first leaf. */
export function emptyState(known: KnownRoots): State {
  return {
    ...known,
    keys: new Map(),
    folded: new Set(),
    latest: new Map(),
    published: new Map(),
    byVersion: new Map(),
    standings: new Map(),
    lines: new StandingLines(),
    roots: new Map(),
    events: new Map(),
    rootVersion: 0,
    position: 0,
    base: 0,
    atSnapshot: false,
    lies: 0,
  }
}

/** PROTOCOL 6: a key counts at index i iff added < i < invalidFrom. */
export function counts(key: Key, index: number): boolean {
  return key.added < index && (key.invalidFrom === undefined || index < key.invalidFrom)
}

/** Whether the key a manifest was published with still counts for that publication, as of all leaves so far. */
export function stands(
  state: State,
  { namespace, kid, index }: Pick<Published, 'namespace' | 'kid' | 'index'>,
): boolean {
  const keys = state.keys.get(namespace) ?? []
  return keys.some((key) => key.kid === kid && key.role === 'sign' && counts(key, index))
}

/** The people of the trust root that is in force at this point of the log; nobody in a root that is not known. */
export function peopleInForce(state: State): RootPeople {
  return state.rootPeople.get(state.rootVersion) ?? {}
}

/** One name for each version of a server, whatever its case. */
export function versionName(server: string, version: string): string {
  return `${foldServerName(server)} ${version}`
}
