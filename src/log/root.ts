import {
  formatNote,
  formatTime,
  formatTrustRootText,
  formatVerifierKey,
  openTrustRoot,
  type TrustRootBody,
  type VerifierKey,
} from 'countersign/core'
import type { RegistryKeys } from './keys.js'

const YEAR_SECONDS = 365 * 24 * 3600

/** Seconds; PROTOCOL 8 names them. */
export const FRESHNESS = { refreshSeconds: 300, maxSeconds: 86_400, offlineMaxSeconds: 604_800 }

/**
 * Version 1 of the trust root of a registry that stands alone: one root key, one log, its own timestamper, no witness.
 * Valid for a year from `now` (POSIX milliseconds).
 */
export function formatFirstRoot(keys: RegistryKeys, now: number): string {
  const body: TrustRootBody = {
    expires: formatTime(now / 1000 + YEAR_SECONDS),
    freshness: FRESHNESS,
    logs: [{ origin: keys.origin, vkey: vkeyOf(keys.log.key), status: 'active' }],
    timestamper: vkeyOf(keys.timestamper.key),
    policy: 'quorum none\n',
    rootKeys: [vkeyOf(keys.root.key)],
    threshold: 1,
  }
  const text = formatTrustRootText(keys.identity, 1, body)
  // What hosts will refuse is better found before it is logged.
  return openTrustRoot(formatNote(text, [keys.root.sign(text)])).note
}

function vkeyOf({ name, type, publicKey }: VerifierKey): string {
  return formatVerifierKey(name, type, publicKey)
}
