import type { Digest, ErrorDetail, Signer, VerdictCode } from '../core/index.js'
import type { Freshness } from '../freshness.js'
import type { HostPolicy } from '../host-policy.js'
import type { Memory } from '../memory.js'
import type { RegistryApi } from '../registry-api.js'
import type { Anchor, Target } from '../resolve.js'
import type { Library } from '../resolve/evidence.js'
import type { View } from '../resolve/view.js'
import type { VerifiedManifest } from '../verify.js'
import type { HostEvent } from './events.js'
import type { FactSource } from './judge.js'

/** What a server offers, and which server it is taken to be. */
export interface ReviewInput extends Target {
  /** The configured launch or URL, as text: what the host remembers this server by. */
  readonly slot: string
  readonly tools: readonly unknown[]
  readonly instructions?: string | undefined
  readonly prompts?: readonly unknown[] | undefined
  readonly resourceTemplates?: readonly unknown[] | undefined
}

/** An item that goes on to the host. */
export interface ReviewedItem {
  readonly name: string
  readonly digest: Digest
  /** JSON text of the signed copy, slots filled with the guard's own facts. Parse it anew for each use. */
  readonly signed: string
  /** It differed only in what another SDK release underneath writes by itself (PROTOCOL 3). */
  readonly dialect: boolean
  /** Canonical text of the variant's `when`; absent for the base definition. */
  readonly variant?: string
}

export type ReviewedTool = ReviewedItem

/** An item, or with kind `server` everything, that does not go on, and why. */
export interface Withheld {
  readonly kind: 'tool' | 'instructions' | 'prompt' | 'template' | 'server'
  readonly name: string
  readonly code: VerdictCode
  readonly detail: ErrorDetail
}

/** The outcome of one review. In `observe` nothing is to be held back, and this says what would have been. */
export interface Review {
  readonly allowed: readonly ReviewedTool[]
  readonly prompts: readonly ReviewedItem[]
  readonly resourceTemplates: readonly ReviewedItem[]
  readonly withheld: readonly Withheld[]
  /** The signed text to hand on; absent: remove what the server said. */
  readonly instructions?: string
  /** Who speaks for the server; absent when it is pinned, passed or refused. */
  readonly manifest?: VerifiedManifest
  /** Nobody signed this server: it is held to what it showed the first time. */
  readonly pin?: boolean
  readonly freshness: Freshness
  /** This server was never accepted in this slot before. */
  readonly firstUse: boolean
  /** With 0, the registry could show different hosts different histories. */
  readonly independentWitnesses: number
  readonly mode: HostPolicy['mode']
  /** Of the server as a whole: `verified`; `unknown-server` also when it is pinned or passed; or why all is withheld. */
  readonly verdict: VerdictCode
}

/** What a review needs of the host it runs in. */
export interface ReviewPorts {
  readonly identity: string
  readonly policy: HostPolicy
  readonly api: RegistryApi
  readonly memory: Memory
  readonly library: Library
  readonly view: () => Promise<View>
  readonly freshnessOf: (view: View) => Freshness
  readonly facts: FactSource
  readonly signer: () => Promise<Signer>
  readonly emit: (event: HostEvent) => void
  /** The anchor of the last review of this target, for as long as the view is the same. */
  readonly warm: Map<string, WarmAnchor>
}

export interface WarmAnchor {
  readonly view: View
  readonly anchor: Anchor
}

/** What every review says of the registry behind it. */
export function frame(view: View, ports: ReviewPorts) {
  return {
    freshness: ports.freshnessOf(view),
    independentWitnesses: view.status.independentWitnesses,
    mode: ports.policy.mode,
  }
}
