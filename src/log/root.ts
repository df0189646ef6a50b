import {
  canonicalize,
  formatNote,
  formatTime,
  formatTrustRootText,
  formatVerifierKey,
  openTrustRoot,
  parseTrustRoot,
  type TrustRoot,
  type TrustRootBody,
  type VerifierKey,
} from 'countersign/core'
import { LedgerFatal } from './errors.js'
import type { RegistryKeys } from './keys.js'

const YEAR_SECONDS = 365 * 24 * 3600

/** Seconds; PROTOCOL 8 names them. */
export const FRESHNESS = { refreshSeconds: 300, maxSeconds: 86_400, offlineMaxSeconds: 604_800 }

/** Keys of people that the first trust root names: who answers for namespaces, and who must sign decisions. */
export type RootPeople = Pick<TrustRootBody, 'authorities' | 'approvers'>

/**
 * Version 1 of the trust root of a registry that stands alone: one root key, one log, its own timestamper, no witness.
 * Valid for a year from `now` (POSIX milliseconds). Throws `root-malformed` when the people's keys are no set of keys.
 */
export function formatFirstRoot(keys: RegistryKeys, now: number, people: RootPeople = {}): string {
  const { authorities, approvers } = people
  const body: TrustRootBody = {
    expires: formatTime(now / 1000 + YEAR_SECONDS),
    freshness: FRESHNESS,
    logs: [{ origin: keys.origin, vkey: vkeyOf(keys.log.key), status: 'active' }],
    timestamper: vkeyOf(keys.timestamper.key),
    policy: 'quorum none\n',
    ...(authorities === undefined ? {} : { authorities }),
    ...(approvers === undefined ? {} : { approvers }),
    rootKeys: [vkeyOf(keys.root.key)],
    threshold: 1,
  }
  const text = formatTrustRootText(keys.identity, 1, body)
  // What hosts will refuse is better found before it is logged.
  return openTrustRoot(formatNote(text, [keys.root.sign(text)])).note
}

/**
 * A log that stands keeps the first root it was pinned by: other people asked for later would be an operator's mistake
 * that nobody sees, because nothing would change.
 */
export function assertFirstRoot(note: string, people: RootPeople): void {
  const { authorities, approvers } = parseTrustRoot(note)
  const named = { authorities, approvers }
  for (const role of ['authorities', 'approvers'] as const) {
    if (people[role] === undefined || same(people[role], named[role])) continue
    const message = `the first trust root names other ${role}: they are chosen before the first start`
    throw new LedgerFatal('identity-mismatch', message, { role })
  }
}

function same(asked: RootPeople['authorities'], named: RootPeople['authorities']): boolean {
  return canonicalize(asked) === canonicalize(named ?? null)
}

/** The root as it is kept; parsed once for each note. */
export function rootReader(): (note: string) => TrustRoot {
  let last: TrustRoot | undefined
  return (note) => (last?.note === note ? last : (last = parseTrustRoot(note)))
}

function vkeyOf({ name, type, publicKey }: VerifierKey): string {
  return formatVerifierKey(name, type, publicKey)
}
