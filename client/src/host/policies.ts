import { refuse, type TrustRoot } from '../core/index.js'
import { DEFAULT_HOST_POLICY, openPolicySource, type HostPolicy } from '../host-policy.js'
import type { Memory } from '../memory.js'
import type { RegistryApi } from '../registry-api.js'
import type { HostEvent } from '../review/events.js'
import type { View } from '../resolve/view.js'

export interface PolicyChoice {
  readonly policy?: HostPolicy
  readonly policySource?: 'registry'
}

export interface PoliciesPorts {
  readonly api: RegistryApi
  readonly memory: Memory
  readonly root: TrustRoot
  readonly emit: (event: HostEvent) => void
  /** Another policy is in force than before: what was decided under the old one is decided again. */
  readonly onChanged: () => void
}

/** What a host goes by: a policy it was given, or the one its registry's authorities signed, as it moves. */
export interface Policies {
  /** @throws CountersignError where none is in force */
  current(): HostPolicy
  /** With each new view of the registry. */
  follow(view: View): Promise<void>
}

/** @throws CountersignError `usage` when both are given: what an organisation asks is not for one host to loosen */
export function openPolicies({ policy, policySource }: PolicyChoice, ports: PoliciesPorts): Policies {
  if (policySource === undefined) {
    const fixed = policy ?? DEFAULT_HOST_POLICY
    return { current: () => fixed, follow: () => Promise.resolve() }
  }
  if (policy !== undefined) refuse('usage', 'a host goes by its own policy or by the one of its registry')
  const { api, memory, emit, onChanged, root } = ports
  const { identity } = root
  const source = openPolicySource({
    api,
    memory,
    onRefused: ({ code, detail }) => emit({ type: 'policy-refused', identity, code, detail }),
    onChanged: (version, { mode, managed }) => {
      onChanged()
      emit({ type: 'policy-changed', identity, version, mode, managed })
    },
  })
  return {
    current: () => source.current(),
    follow: (view) => source.follow(view.root, view.unreachable),
  }
}
