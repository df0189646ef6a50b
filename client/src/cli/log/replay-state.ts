import type { CascadeKey, TrustRoot } from '../../core/index.js'

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
  readonly index: number
  readonly namespace: string
  readonly kid: string
}

/** Whom a trust root names besides the registry's own keys. */
export type RootPeople = Pick<TrustRoot, 'authorities' | 'approvers'>

/** What the leaves so far say. */
export interface State {
  readonly registry: string
  readonly rootDigests: ReadonlyMap<number, string>
  /** People of the trust roots by version, as far as their notes were served and verified. */
  readonly rootPeople: ReadonlyMap<number, RootPeople>
  readonly keys: Map<string, Key[]>
  /** The namespaces in lower case: two that differ in case would be two owners of one server name. */
  readonly folded: Set<string>
  readonly latest: Map<string, number>
  /** Publications by manifest digest. */
  readonly published: Map<string, Published[]>
  readonly byVersion: Map<string, Published>
  readonly lines: Set<string>
  rootVersion: number
}

/** PROTOCOL 6: a key counts at index i iff added < i < invalidFrom. */
export function counts(key: Key, index: number): boolean {
  return key.added < index && (key.invalidFrom === undefined || index < key.invalidFrom)
}

/** Whether the key a manifest was published with still counts for that publication, as of all leaves so far. */
export function stands(state: State, { namespace, kid, index }: Published): boolean {
  const keys = state.keys.get(namespace) ?? []
  return keys.some((key) => key.kid === kid && key.role === 'sign' && counts(key, index))
}

/** The people of the trust root that is in force at this point of the log; nobody in a root that is not known. */
export function peopleInForce(state: State): RootPeople {
  return state.rootPeople.get(state.rootVersion) ?? {}
}
