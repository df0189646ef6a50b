import { refuse } from '../core/index.js'
import type { HostPolicy } from '../host-policy.js'
import type { Review, ReviewInput } from '../review.js'
import type { GuardEvent, GuardListener } from './events.js'
import type { SchemaValidator, TokenFacts } from './ports.js'

/** What of the host's policy counts at the guard; a member that is absent has its default (PROTOCOL 13). */
export type GuardPolicy = Pick<HostPolicy, 'mode'> &
  Partial<Pick<HostPolicy, 'scopes' | 'arguments' | 'results' | 'dynamicResources' | 'refusals'>>

/** What the guard needs of a host: its verdict over a list, and its newest knowledge. `openHost` returns one. */
export interface Reviewer {
  /** Read at each use. Absent: enforced until a review says otherwise. */
  readonly policy?: GuardPolicy
  review(input: ReviewInput): Promise<Review>
  refresh(): Promise<void>
}

export interface GuardOptions {
  readonly host: Reviewer
  /** `namespace/name`; without it the host resolves by package or URL. */
  readonly server?: string
  readonly version?: string
  /** `npm:NAME@VERSION` as launched. */
  readonly package?: string
  /** The URL of a remote server. */
  readonly url?: string
  /** The configured launch or URL, as text: what the host remembers this server by. Default: the URL, package or server. */
  readonly slot?: string
  /** How a refused call reads: `hide` says `Unknown tool`, `explain` gives an `isError` result with reason and remedy. Default: the policy's, else `hide`. */
  readonly refusals?: 'hide' | 'explain'
  /** Seconds after which a verdict is asked for again, also between listings. Default 300. */
  readonly recheckSeconds?: number
  /** Milliseconds that one verification may take before it counts as failed. Default 5000. */
  readonly verifyMs?: number
  /** Milliseconds that the server may take for one page of a list. Default 20000. */
  readonly pageMs?: number
  /** Checks arguments and structured results against the signed schemas; without it no schema is looked at. */
  readonly validator?: SchemaValidator
  /** Scopes of the token that the transport sends; without it no scope is looked at. */
  readonly token?: TokenFacts
  readonly onEvent?: GuardListener
}

export interface Settings {
  readonly host: Reviewer
  readonly target: Pick<ReviewInput, 'server' | 'version' | 'package' | 'url' | 'slot'>
  readonly policy: () => GuardPolicy | undefined
  readonly refusals: GuardOptions['refusals']
  readonly validator: SchemaValidator | undefined
  readonly token: TokenFacts | undefined
  readonly recheckMs: number
  readonly verifyMs: number
  readonly pageMs: number
  readonly emit: (event: GuardEvent) => void
}

/** @throws CountersignError `usage` when nothing says which server this is */
export function readOptions(options: GuardOptions): Settings {
  const slot = options.slot ?? options.url ?? options.package ?? options.server
  if (slot === undefined) refuse('usage', 'guardTransport needs one of server, package, url or slot')
  const { server, version, url } = options
  return {
    host: options.host,
    target: {
      slot,
      ...(server !== undefined && { server }),
      ...(version !== undefined && { version }),
      ...(options.package !== undefined && { package: options.package }),
      ...(url !== undefined && { url }),
    },
    policy: () => options.host.policy,
    refusals: options.refusals,
    validator: options.validator,
    token: options.token,
    recheckMs: (options.recheckSeconds ?? 300) * 1000,
    verifyMs: options.verifyMs ?? 5000,
    pageMs: options.pageMs ?? 20_000,
    emit: (event) => options.onEvent?.(event),
  }
}
