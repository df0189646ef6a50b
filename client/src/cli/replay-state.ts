/** A key in a role, and the interval in which it counts. */
export interface Key {
  readonly kid: string
  readonly publicKey: Uint8Array
  readonly role: string
  readonly added: number
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

/** What the leaves so far say. */
export interface State {
  readonly registry: string
  readonly rootDigests: ReadonlyMap<number, string>
  readonly keys: Map<string, Key[]>
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
