/** What a document proves by being what it is: notes, proofs and bytes as they were served. */
export type Documents = Readonly<Record<string, string | readonly string[]>>

/** Something that cannot be true, as the log or whoever serves it says it. */
export interface Lie {
  /** Position of the entry it is about, or of the end of the tree. */
  readonly index: number
  readonly code: string
  readonly said: string
  /** The leaf, for evidence; empty where it is about none. */
  readonly leaf: string
  /** What else is evidence: both notes, the proof, the tile. */
  readonly documents?: Documents
}

/** Nothing false, and still what whoever watches a log wants to know. */
export interface Alert {
  readonly code:
    | 'root-changed'
    | 'log-succeeded'
    | 'log-cut'
    | 'root-expired'
    | 'stale'
    | 'clock-skew'
    | 'manifest-withheld'
    | 'vouched-for'
    | 'registry-unreachable'
  readonly said: string
  readonly index?: number
  readonly documents?: Documents
}

export function lieAt(index: number, code: string, said: string, documents?: Documents): Lie {
  return { index, code, said, leaf: '', ...(documents && { documents }) }
}
