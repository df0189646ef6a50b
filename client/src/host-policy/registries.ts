import { foldServerName } from '../core/index.js'
import type { HostPolicy } from './types.js'

/** The prefix that stands for every name no other prefix fits. */
export const EVERY_NAME = '*'

/**
 * Which registry may speak for a server: the longest prefix wins, and a match never falls through (PROTOCOL 11).
 * Prefixes end at a dot or a slash, so `com.acme` does not match `com.acmeevil/x`; case does not count, for names that
 * differ only in case are one name. `*` stands for whatever is left. Undefined: any.
 */
export function registryFor(policy: Pick<HostPolicy, 'registries'>, server: string): string | undefined {
  const name = foldServerName(server)
  const entries = Object.entries(policy.registries ?? {})
  const fits = entries.filter(
    ([prefix]) =>
      name.startsWith(foldServerName(prefix)) && ['', '.', '/'].includes(name.charAt(prefix.length)),
  )
  const [longest] = fits.sort(([a], [b]) => b.length - a.length)
  return (longest ?? entries.find(([prefix]) => prefix === EVERY_NAME))?.[1]
}
