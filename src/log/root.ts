import {
  canonicalize,
  CountersignError,
  formatNote,
  formatTime,
  formatTrustRootText,
  formatVerifierKey,
  MAX_NOTE_SIGNATURES,
  openTrustRoot,
  parseEvent,
  parsePolicy,
  parseTrustRoot,
  refuse,
  rootNoteDigest,
  type NoteSigner,
  type QuorumPolicy,
  type TrustRoot,
  type TrustRootBody,
  type VerifierKey,
} from 'countersign/core'
import { StoreError } from '../storage/errors.js'
import type { BatchTx } from '../storage/store.js'
import type { Candidate } from './candidate.js'
import { LedgerFatal, LedgerRefusal } from './errors.js'
import type { RegistryKeys } from './keys.js'

/** How long a trust root is good for unless its makers say otherwise. */
export const ROOT_SECONDS = 365 * 24 * 3600

/** Seconds; PROTOCOL 8 names them. */
export const FRESHNESS = { refreshSeconds: 300, maxSeconds: 86_400, offlineMaxSeconds: 604_800 }

/** As many as fit a checkpoint's note beside the signatures of the log and of the timestamper. */
export const MAX_WITNESSES = MAX_NOTE_SIGNATURES - 2

/** Without witnesses. */
export const NO_WITNESSES = 'quorum none\n'

/**
 * What an operator says about the first trust root: who answers for namespaces, who must sign decisions, and which
 * witnesses must have cosigned (tlog-policy text).
 */
export type RootPeople = Pick<TrustRootBody, 'authorities' | 'approvers'> & { readonly policy?: string }

/** A trust root before anybody has signed it. */
export interface RootText {
  readonly identity: string
  readonly version: number
  readonly body: TrustRootBody
}

/**
 * The body of version 1 for these keys. Valid for a year from `now` (POSIX milliseconds). The root keys are the
 * registry's own unless others are named.
 */
export function firstRootBody(
  keys: RegistryKeys,
  now: number,
  { authorities, approvers, policy = NO_WITNESSES }: RootPeople = {},
  roots: Pick<TrustRootBody, 'rootKeys' | 'threshold'> = ownRoot(keys),
): TrustRootBody {
  return {
    expires: formatTime(now / 1000 + ROOT_SECONDS),
    freshness: FRESHNESS,
    logs: [{ origin: keys.origin, vkey: vkeyOf(keys.log.key), status: 'active' }],
    timestamper: vkeyOf(keys.timestamper.key),
    policy,
    ...(authorities === undefined ? {} : { authorities }),
    ...(approvers === undefined ? {} : { approvers }),
    ...roots,
  }
}

/**
 * Version 1 of the trust root of a registry that stands alone: one root key, one log, its own timestamper.
 * Throws `root-malformed` when the people's keys are no set of keys, `policy-malformed` for a policy that is none, and
 * LedgerFatal where the root keys are in other hands.
 */
export function formatFirstRoot(keys: RegistryKeys, now: number, people: RootPeople = {}): string {
  if (keys.root === undefined || keys.isCeremony) throw notPublished()
  return signRoot({ identity: keys.identity, version: 1, body: firstRootBody(keys, now, people) }, [
    keys.root,
  ])
}

/** The note of a root under these signatures; what hosts will refuse is better found before it is logged. */
export function signRoot({ identity, version, body }: RootText, signers: readonly NoteSigner[]): string {
  // Hosts read the policy with the root; its own error says which line is wrong.
  readPolicy(body.policy)
  const text = formatTrustRootText(identity, version, body)
  const lines = signers.map((signer) => signer.sign(text))
  return openTrustRoot(formatNote(text, lines)).note
}

/** A policy whose witnesses all fit one note. Throws `policy-malformed`. */
export function readPolicy(text: string): QuorumPolicy {
  const policy = parsePolicy(text)
  if (policy.witnesses.length > MAX_WITNESSES) {
    refuse('policy-malformed', `a checkpoint has room for ${MAX_WITNESSES} witnesses`)
  }
  return policy
}

function ownRoot(keys: RegistryKeys): Pick<TrustRootBody, 'rootKeys' | 'threshold'> {
  if (keys.root === undefined) throw notPublished()
  return { rootKeys: [vkeyOf(keys.root.key)], threshold: 1 }
}

function notPublished(): LedgerFatal {
  const message =
    'the first trust root of this registry was begun with `countersign-registry root init` and is not published: ' +
    'have it signed, and then run `countersign-registry root publish FILE`'
  return new LedgerFatal('state-invalid', message)
}

/** The members of a root's body, without what is derived from them. */
export function bodyOf(root: TrustRoot): TrustRootBody {
  const { expires, freshness, logs, timestamper, policy, authorities, approvers, rootKeys, threshold } = root
  return {
    ...{ expires, freshness, logs, timestamper, policy, rootKeys, threshold },
    ...(authorities === undefined ? {} : { authorities }),
    ...(approvers === undefined ? {} : { approvers }),
  }
}

/**
 * A log that stands keeps the first root it was pinned by: other people or witnesses asked for in the environment
 * would be an operator's mistake that nobody sees, because nothing would change. What the newest root says is as good.
 */
export function assertFirstRoot(note: string, people: RootPeople, newest = note): void {
  const roots = [parseTrustRoot(note), parseTrustRoot(newest)]
  for (const role of ['authorities', 'approvers', 'policy'] as const) {
    const asked = people[role]
    if (asked === undefined || roots.some((root) => same(asked, root[role]))) continue
    const message =
      `the trust root says something else of ${role} than the settings: take them out, and change the root with ` +
      '`countersign-registry root propose`'
    throw new LedgerFatal('identity-mismatch', message, { role })
  }
}

function same(asked: RootPeople[keyof RootPeople], named: RootPeople[keyof RootPeople]): boolean {
  return canonicalize(asked) === canonicalize(named ?? null)
}

/**
 * Verifies the next version of a registry's own root: signed by both sides, not expired, and about the same logs and
 * timestamper, because those are this process's keys; a log is ended by `recover` alone.
 * Throws LedgerRefusal: `root-conflict` when it is not newer than `current`, else `root-invalid` with `detail.reason`.
 */
export function openNextRoot(note: string, current: TrustRoot, now = Date.now()): TrustRoot {
  const parsed = refusing(() => parseTrustRoot(note))
  if (parsed.identity === current.identity && parsed.version <= current.version)
    throw outdated(current.version)
  const root = refusing(() => openTrustRoot(note, current))
  refusing(() => readPolicy(root.policy))
  if (root.expiresAt * 1000 <= now) throw invalidRoot('root-expired', `it expired at ${root.expires}`)
  if (canonicalize(root.logs) !== canonicalize(current.logs)) {
    throw invalidRoot(
      'logs-changed',
      'it names other logs: a log is ended with `countersign-registry recover`',
    )
  }
  if (root.timestamper !== current.timestamper) {
    throw invalidRoot('timestamper-changed', 'it names another timestamper than the one this registry has')
  }
  return root
}

/** Runs a check of the core; its code becomes the reason. */
export function refusing<T>(check: () => T): T {
  try {
    return check()
  } catch (cause) {
    if (cause instanceof CountersignError) throw invalidRoot(cause.code, cause.message)
    throw cause
  }
}

export function invalidRoot(reason: string, message: string): LedgerRefusal {
  return new LedgerRefusal('root-invalid', message, { reason })
}

function outdated(version: number): LedgerRefusal {
  return new LedgerRefusal('root-conflict', `version ${version} is published already`, { version })
}

/**
 * Logs the next version of the trust root, the event and the note in one batch. Refused as `openNextRoot` refuses it;
 * in the batch again with `root-conflict` when `current` is no longer the newest.
 */
export function rootCandidate(note: string, current: TrustRoot, now = Date.now()): Candidate {
  const { version } = openNextRoot(note, current, now)
  return {
    authorise: async (tx) => {
      const newest = await newestVersion(tx)
      if (newest !== current.version) throw outdated(newest)
    },
    event: () => ({ v: 1, t: 'root', version, digest: rootNoteDigest(note) }),
    apply: async (tx) => {
      await tx.putRootNote({ version, note }).catch((cause: unknown) => {
        // Two of them in one batch: the snapshot before it cannot tell.
        if (cause instanceof StoreError && cause.code === 'duplicate') throw outdated(version)
        throw cause
      })
    },
  }
}

/** As the last snapshot before this batch has it. */
async function newestVersion(tx: BatchTx): Promise<number> {
  const { size } = await tx.readLogState()
  const [leaf = ''] = await tx.readEntries(size - 1, size)
  const event = parseEvent(leaf)
  if (event.t !== 'snapshot') throw new LedgerFatal('state-invalid', 'the last entry is no snapshot')
  return event.rootVersion
}

/** The root as it is kept; parsed once for each note. */
export function rootReader(): (note: string) => TrustRoot {
  let last: TrustRoot | undefined
  return (note) => (last?.note === note ? last : (last = parseTrustRoot(note)))
}

export function vkeyOf({ name, type, publicKey }: VerifierKey): string {
  return formatVerifierKey(name, type, publicKey)
}
