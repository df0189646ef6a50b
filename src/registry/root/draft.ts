import {
  CountersignError,
  formatTime,
  formatTrustRootText,
  parseTime,
  parseVerifierKey,
  type FreshnessLimits,
  type TrustRoot,
  type TrustRootBody,
} from 'countersign/core'
import {
  bodyOf,
  FRESHNESS,
  readPolicy,
  ROOT_SECONDS,
  type RootPeople,
  type RootText,
} from '../../log/root.js'
import { OperatorError } from '../errors.js'
import { isKey } from './describe.js'
import { formatDraft, parseDraft, type RootDraft } from './files.js'

/** What a proposal changes; what is absent stays as it is. */
export interface RootChange {
  readonly policy?: string
  /** `null` takes a role out of the root. */
  readonly people?: { readonly [Role in 'authorities' | 'approvers']?: RootPeople[Role] | null }
  readonly addRootKeys?: readonly string[]
  readonly removeRootKeys?: readonly string[]
  readonly threshold?: number
  /** Days from now, or a day. */
  readonly expires?: string
  readonly freshness?: Partial<FreshnessLimits>
}

/** The version after `current` with these changes, unsigned. Throws OperatorError. */
export function proposeRoot(current: TrustRoot, change: RootChange, now: number): RootDraft {
  const { policy = current.policy, people = {}, threshold = current.threshold, freshness = {} } = change
  const { authorities, approvers, ...rest } = bodyOf(current)
  const body: TrustRootBody = {
    ...rest,
    ...present('authorities', people.authorities, authorities),
    ...present('approvers', people.approvers, approvers),
    expires: expiryOf(change.expires, now),
    freshness: changeFreshness(current.freshness, freshness),
    policy,
    rootKeys: changeKeys(current.rootKeys, change),
    threshold,
  }
  if (threshold < 1 || threshold > body.rootKeys.length) {
    throw new OperatorError(
      'threshold-invalid',
      `of ${body.rootKeys.length} root keys ${threshold} cannot be needed`,
    )
  }
  return draftOf({ identity: current.identity, version: current.version + 1, body })
}

/** A draft that hosts can read, or OperatorError `root-malformed`. */
export function draftOf({ identity, version, body }: RootText): RootDraft {
  try {
    readPolicy(body.policy)
    return parseDraft(formatDraft(formatTrustRootText(identity, version, body), []))
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new OperatorError('root-malformed', `this makes no trust root: ${cause.message}`, { cause })
  }
}

function present<K extends string, V>(name: K, asked: V | null | undefined, before: V | undefined) {
  const value = asked === undefined ? before : asked
  return (value === undefined || value === null ? {} : { [name]: value }) as { [Name in K]?: V }
}

/** What nobody changes stays, however it was signed. */
function changeFreshness(before: FreshnessLimits, change: Partial<FreshnessLimits>): FreshnessLimits {
  const limits = { ...before, ...change }
  const { refreshSeconds, maxSeconds } = limits
  const least = refreshSeconds + FRESHNESS.refreshSeconds
  if (Object.keys(change).length === 0 || maxSeconds >= least) return limits
  const message =
    `hosts that ask every ${refreshSeconds} s, of a registry that says every ${FRESHNESS.refreshSeconds} s how fresh ` +
    `it is, need a --max-seconds of at least ${least}`
  throw new OperatorError('freshness-invalid', message)
}

function changeKeys(
  keys: readonly string[],
  { addRootKeys = [], removeRootKeys = [] }: RootChange,
): string[] {
  const removed = removeRootKeys.map(rawKey)
  for (const [i, raw] of removed.entries()) {
    if (keys.some((key) => isKey(key, raw))) continue
    throw new OperatorError('root-key-unknown', `${removeRootKeys[i] ?? ''} is no root key`)
  }
  const kept = keys.filter((key) => !removed.some((raw) => isKey(key, raw)))
  for (const added of addRootKeys) {
    if (!kept.some((key) => isKey(key, rawKey(added)))) kept.push(added)
    else throw new OperatorError('root-key-known', `${added} is a root key already`)
  }
  return kept
}

/** Throws OperatorError `root-key-unknown` for what is no key. */
export function rawKey(vkey: string): Uint8Array {
  try {
    return parseVerifierKey(vkey).publicKey
  } catch (cause) {
    throw new OperatorError('root-key-unknown', 'a root key is given as `root key` prints it', { cause })
  }
}

/** Longer than that, nobody remembers where the keys are. */
const MAX_DAYS = 3650
const DAY_SECONDS = 86_400

/** `90`, `2027-03-01` or `2027-03-01T00:00:00Z`; a year from now when it is not said. */
export function expiryOf(text: string | undefined, now: number): string {
  const seconds = now / 1000
  if (text === undefined) return formatTime(seconds + ROOT_SECONDS)
  const at = /^\d{1,4}$/.test(text) ? seconds + Number(text) * DAY_SECONDS : dayOf(text)
  if (at > seconds && at <= seconds + MAX_DAYS * DAY_SECONDS) return formatTime(at)
  throw new OperatorError(
    'expires-invalid',
    `"${text}" is no number of days (to ${MAX_DAYS}) and no day to come`,
  )
}

function dayOf(text: string): number {
  try {
    return parseTime(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text)
  } catch {
    return Number.NaN
  }
}
