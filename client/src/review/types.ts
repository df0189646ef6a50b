import type { Question, Side } from '../consent/types.js'
import type { Digest, ErrorDetail, Signer, VerdictCode } from '../core/index.js'
import type { Freshness } from '../freshness.js'
import type { HostPolicy } from '../host-policy.js'
import type { Memory } from '../memory.js'
import type { RegistryApi } from '../registry-api.js'
import type { Anchor, Target } from '../resolve.js'
import type { Library } from '../resolve/evidence.js'
import type { View } from '../resolve/view.js'
import type { VerifiedManifest } from '../verify.js'
import type { Compared } from './compared.js'
import type { HostEvent } from './events.js'
import type { FactSource } from './judge.js'
import type { LiveItem } from './live.js'

/** What a server offers, and which server it is taken to be. */
export interface ReviewInput extends Target {
  /** The configured launch or URL, as text: what the host remembers this server by. */
  readonly slot: string
  readonly tools: readonly unknown[]
  readonly instructions?: string | undefined
  readonly prompts?: readonly unknown[] | undefined
  readonly resourceTemplates?: readonly unknown[] | undefined
  /** Only where the manifest lists them (`resources.mode`): everything else is dynamic and signed by nobody. */
  readonly resources?: readonly unknown[] | undefined
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
  /** Those of a manifest that lists them; absent where none were given. */
  readonly resources?: readonly ReviewedItem[]
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
  /**
   * What a person did not agree to (yet): items of the manifest with these labels do not go on, whatever list they stand
   * in, such as `resource file:///x`.
   */
  readonly questions?: readonly Question[]
  /** Of the server as a whole: `verified`; `unknown-server` also when it is pinned or passed; or why all is withheld. */
  readonly verdict: VerdictCode
}

/** What a review needs of the host it runs in. */
export interface ReviewPorts {
  readonly identity: string
  /** Identities of all registries whose servers run in this host. */
  readonly identities: readonly string[]
  readonly policy: HostPolicy
  readonly api: RegistryApi
  readonly memory: Memory
  readonly library: Library
  readonly view: () => Promise<View>
  readonly freshnessOf: (view: View) => Freshness
  readonly facts: FactSource
  readonly signer: () => Promise<Signer>
  readonly emit: (event: HostEvent) => void
  /** POSIX milliseconds. */
  readonly now: () => number
  /** The anchor of the last review of this target, for as long as the view is the same. */
  readonly warm: Map<string, WarmAnchor>
  /** What spoke against a server beside the others, by slot, for as long as both sides are what they were. */
  readonly neighbours: Map<string, KnownObjections>
  /** What was compared before, by the digests of both sides. */
  readonly compared: Map<string, Compared>
}

/** A server as its neighbours in the same host are compared with it. */
export interface Newcomer {
  readonly slot: string
  /** The verified name; absent for a pin and for what is passed. */
  readonly server?: string
  /** What is launched or called, as configured. */
  readonly package?: string | undefined
  readonly url?: string | undefined
  /** Whether an approved manifest speaks for it. */
  readonly approved: boolean
  /** POSIX seconds of the first acceptance in this host; absent on first use: it is the newcomer then. */
  readonly since?: number
  /** What of the live list its manifest or pin holds. */
  readonly items: readonly LiveItem[]
  readonly to: Side
}

export interface KnownObjections {
  readonly mark: string
  /** POSIX milliseconds: other processes may have remembered other servers since. */
  readonly at: number
  readonly objections: readonly Objection[]
}

/** What speaks against a server, or some of its items, beside the others of this host. */
export interface Objection {
  readonly code: 'name-confusable' | 'name-shadowed'
  /** `record`: told as an event and nothing more. */
  readonly reaction: 'withhold' | 'record'
  /** Which items; empty: all of the server. */
  readonly items: readonly { readonly kind: LiveItem['kind']; readonly name: string }[]
  /** The other server, and what else explains it. */
  readonly detail: ErrorDetail
  /** The server it is taken for; part of what is agreed to. */
  readonly from: Side
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
