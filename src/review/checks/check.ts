import type { Manifest } from 'countersign/core'
import type { Finding } from 'countersign/gates'
import type { NamespaceRow, ProofRow } from '../../storage/store.js'

/** What a check may look at: the manifest, and what the registry knows around it. */
export interface CheckFacts {
  readonly manifest: Manifest
  readonly findings: readonly Finding[]
  readonly namespace: NamespaceRow | undefined
  readonly proof: ProofRow | undefined
}

/** Why the check does not hold, in a sentence that is safe to print; undefined when it holds. */
export type Check = (facts: CheckFacts) => string | undefined
