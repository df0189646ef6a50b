import type { ErrorDetail, VerdictCode } from '../core/index.js'
import type { Freshness } from '../freshness.js'

/** What a host tells whoever listens: for reports, audit trails and people. Names come from servers: escape them. */
export type HostEvent =
  | {
      readonly type: 'refreshed'
      readonly identity: string
      readonly size: number
      readonly attestedAt: number
      readonly independentWitnesses: number
      readonly unreachable: boolean
    }
  | {
      readonly type: 'refresh-failed'
      readonly identity: string
      readonly code: string
      readonly detail: ErrorDetail
    }
  | {
      readonly type: 'reviewed'
      readonly slot: string
      readonly server?: string
      readonly version?: string
      readonly manifest?: string
      readonly verdict: VerdictCode
      readonly allowed: number
      readonly withheld: number
      readonly pin: boolean
      readonly firstUse: boolean
      readonly mode: 'enforce' | 'observe'
      readonly freshness: Freshness
    }
  | {
      readonly type: 'withheld'
      readonly slot: string
      readonly kind: string
      readonly name: string
      readonly code: VerdictCode
      readonly detail: ErrorDetail
    }
