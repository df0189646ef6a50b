import { refuse } from '../core/index.js'
import type { HostOptions } from '../host.js'
import { DEFAULT_HOST_POLICY, MAX_POLICY_BYTES, parseHostPolicy } from '../host-policy.js'
import { readInput } from './files.js'

export interface PolicyOptions {
  /** A file, or `registry` for what the authorities of the pinned registry signed. */
  readonly policy?: string
  readonly observe?: boolean
}

/** Where a host of this command line takes its policy from. @throws CountersignError `usage`, `policy-malformed`, `io` */
export function readPolicyOption({
  policy,
  observe,
}: PolicyOptions): Pick<HostOptions, 'policy' | 'policySource'> {
  if (policy === 'registry') {
    // What an organisation asks of its hosts is not for a command line to turn off.
    if (observe === true) refuse('usage', '--observe is not for a policy of the registry')
    return { policySource: 'registry' }
  }
  const base =
    policy === undefined ? DEFAULT_HOST_POLICY : parseHostPolicy(readInput(policy, MAX_POLICY_BYTES))
  return { policy: observe === true ? { ...base, mode: 'observe' } : base }
}
