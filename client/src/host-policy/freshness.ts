import type { FreshnessLimits } from '../core/index.js'
import type { HostPolicy } from './types.js'

/**
 * PROTOCOL 13: a host may ask more often and believe for a shorter time than the trust root allows, never the other way;
 * only an offline bundle that a person handed over may be believed for longer.
 */
export function hostLimits(root: FreshnessLimits, policy: HostPolicy): FreshnessLimits {
  const { refreshSeconds, maxSeconds, offlineMaxSeconds } = policy
  return {
    refreshSeconds: Math.min(root.refreshSeconds, refreshSeconds ?? root.refreshSeconds),
    maxSeconds: Math.min(root.maxSeconds, maxSeconds ?? root.maxSeconds),
    offlineMaxSeconds: Math.max(root.offlineMaxSeconds, offlineMaxSeconds ?? 0),
  }
}
