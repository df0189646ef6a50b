import { CountersignError, refuse } from './core/index.js'
import type { Consent, ExplainedQuestion, Question } from './consent/types.js'
import { openHost, type Host, type HostOptions } from './host.js'
import { EVERY_NAME, registryFor, type HostPolicy } from './host-policy.js'
import type { Review, ReviewInput } from './review.js'
import type { VerifiedManifest } from './verify.js'

export interface HostsOptions {
  /**
   * One for each registry; what the policy gives to none of them is the first one's. They share a memory, so that the
   * servers of one are known beside those of the others.
   */
  readonly hosts: readonly Omit<HostOptions, 'policy' | 'policySource'>[]
  /** Its `registries` say who may speak for which names. */
  readonly policy: HostPolicy
}

/** Several registries at work as one host: for `guardTransport`, and for people. */
export interface Hosts {
  readonly policy: HostPolicy
  /** As {@link Host.review}, by the registry that may speak for the server. */
  review(input: ReviewInput): Promise<Review>
  /** As {@link Host.verify}. */
  verify(server: string, version?: string): Promise<VerifiedManifest>
  /** As {@link Host.waiting}, of all of them. */
  waiting(): Promise<readonly Question[]>
  /** As {@link Host.explain}. */
  explain(id: string): Promise<ExplainedQuestion>
  /** As {@link Host.consent}. */
  consent(id: string, decision: Consent['decision']): Promise<void>
  /** Asks all of them now. @throws CountersignError when nothing good is known of one of them afterwards */
  refresh(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens a host for several registries (PROTOCOL 11). A name belongs to the registry of its longest prefix and never falls
 * through to another; a name that no prefix fits belongs to the first. A server that is known by its package or address
 * alone is asked for at each registry in turn, and what one says of names that are not its own is `registry-mismatch`.
 *
 * @throws CountersignError `usage` for no registry, for one that stands twice, and what {@link openHost} throws
 * @example
 * const host = await openHosts({ hosts: [{ registry: own, trust: a, memory }, { registry: other, trust: b, memory }], policy })
 */
export async function openHosts({ hosts: options, policy: given }: HostsOptions): Promise<Hosts> {
  const policy = withDefault(given, options)
  const identities = options.map(({ trust }) => trust.identity)
  const hosts = await Promise.all(options.map((one) => openHost({ ...one, policy, neighbours: identities })))
  return {
    policy,
    review: async (input) =>
      (await hostOf(input, await ownerOf(input, options), hosts, policy)).review(input),
    verify: (server, version) => byName(server, hosts, policy).verify(server, version),
    waiting: async () => byAge((await Promise.all(hosts.map((host) => host.waiting()))).flat()),
    explain: (id) => firstThatKnows(hosts, (host) => host.explain(id)),
    consent: (id, decision) => firstThatKnows(hosts, (host) => host.consent(id, decision)),
    refresh: async () => {
      await Promise.all(hosts.map((host) => host.refresh()))
    },
    close: async () => {
      await Promise.all(hosts.map((host) => host.close()))
    },
  }
}

function withDefault(policy: HostPolicy, options: HostsOptions['hosts']): HostPolicy {
  const identities = options.map(({ trust }) => trust.identity)
  const [first] = identities
  if (first === undefined) refuse('usage', 'name at least one registry')
  if (new Set(identities).size !== identities.length) refuse('usage', 'a registry is named twice')
  return { ...policy, registries: { [EVERY_NAME]: first, ...policy.registries } }
}

/** Whose name it is. A registry that is not here gets its name from nobody: the first one refuses to speak for it. */
function byName(server: string, hosts: readonly Host[], policy: HostPolicy): Host {
  const due = registryFor(policy, server)
  return hosts.find(({ identity }) => identity === due) ?? firstOf(hosts)
}

/** The registry whose server was verified in a slot: another one that begins to claim the package takes no slot over. */
async function ownerOf({ slot }: ReviewInput, options: HostsOptions['hosts']): Promise<string | undefined> {
  for (const { memory, trust } of options) {
    const kept = await memory.readServer({ identity: trust.identity, server: '', slot })
    if (kept?.resolved !== undefined) return trust.identity
  }
  return undefined
}

async function hostOf(
  input: ReviewInput,
  owner: string | undefined,
  hosts: readonly Host[],
  policy: HostPolicy,
): Promise<Host> {
  if (input.server !== undefined) return byName(input.server, hosts, policy)
  const known = hosts.find(({ identity }) => identity === owner)
  if (known !== undefined) return known
  for (const host of hosts) if (await host.speaksFor(input)) return host
  return firstOf(hosts)
}

function firstOf([first]: readonly Host[]): Host {
  return first ?? refuse('usage', 'name at least one registry')
}

function byAge(questions: readonly Question[]): readonly Question[] {
  return [...questions].sort((a, b) => a.askedAt - b.askedAt || (a.id < b.id ? -1 : 1))
}

async function firstThatKnows<T>(hosts: readonly Host[], ask: (host: Host) => Promise<T>): Promise<T> {
  let last: unknown
  for (const host of hosts) {
    try {
      return await ask(host)
    } catch (error) {
      if (!(error instanceof CountersignError) || error.code !== 'usage') throw error
      last = error
    }
  }
  throw last
}
