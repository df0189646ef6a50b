import type { TrustRootBody } from 'countersign/core'

/** 2026-11-01T00:00:00Z */
export const START = 1_793_491_200

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
