import type { ChangeClass, Reaction } from '../change/class.js'
import type { Consent, Question, QuestionReason, Side } from '../consent/types.js'
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
  | {
      /** Another version of the policy that the registry's authorities signed is in force from now on. */
      readonly type: 'policy-changed'
      readonly identity: string
      readonly version: number
      readonly mode: 'enforce' | 'observe'
      readonly managed: boolean
    }
  | {
      /** What the registry serves as a policy is none; what was in force stays so. */
      readonly type: 'policy-refused'
      readonly identity: string
      readonly code: string
      readonly detail: ErrorDetail
    }
  | {
      /** Another version, list or variant than before is in use from now on. */
      readonly type: 'changed'
      readonly slot: string
      readonly server: string
      readonly reason: QuestionReason
      readonly from: Side
      readonly to: Side
      readonly class: ChangeClass
      /** What the policy says of that class; `consent`: a person agreed. */
      readonly reaction: Reaction
      /** How many changes of each class are listed. */
      readonly counts: Readonly<Partial<Record<ChangeClass, number>>>
    }
  | {
      /** A person is to decide; told once. */
      readonly type: 'asked'
      readonly slot: string
      readonly server: string
      readonly question: Question
    }
  | {
      readonly type: 'consented'
      readonly slot: string
      readonly server: string
      readonly question: Question
      readonly decision: Consent['decision']
    }
  | {
      /** Names that other servers of this host have too: nothing is withheld for it. */
      readonly type: 'shadowed'
      readonly slot: string
      readonly name: string
      readonly detail: ErrorDetail
    }
