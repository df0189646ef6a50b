import {
  decodeKeyX,
  encodeBase64url,
  parseNamespace,
  randomBytes,
  verifyNamespaceProof,
  type NamespaceEvent,
} from 'countersign/core'
import { LedgerRefusal } from '../../log/errors.js'
import { readNewestRoot } from '../../log/root-notes.js'
import type { ChallengeRow, NamespaceRow } from '../../storage/store.js'
import type { Context } from '../context.js'
import { assertLowerCase, assertProvable } from './domain.js'
import { issuersOf, proofRecords, type ProofKind, type ProofRecord } from './kinds.js'

const DAY_MS = 86_400_000
/** Signatures of authorities are gathered by people. */
const PEOPLE_MS = 7 * DAY_MS

export interface ClaimStarted {
  readonly namespace: string
  readonly proof: ProofKind
  readonly account: string
  readonly challenge: string
  /** What the answer is signed for: this registry's identity. */
  readonly audience: string
  readonly expires: string
  /** What to put where; one of them is enough. */
  readonly records: readonly ProofRecord[]
}

/**
 * A claim begins with a challenge that only this registry knows, for one account, one namespace and one kind of
 * proof. Also the owner of an enrolled namespace gets one, to prove it again.
 */
export async function startClaim(
  context: Context,
  account: string,
  request: { namespace: string; proof: ProofKind; x?: string | undefined },
): Promise<ClaimStarted> {
  const { store, ledger, now } = context
  const { proof, x } = request
  const namespace = parseNamespace(request.namespace)
  assertLowerCase(namespace)
  assertProvable(namespace, proof, issuersOf(context))
  assertOpen(await store.readNamespace(namespace), namespace, account, proof)
  const challenge = encodeBase64url(randomBytes(32))
  const { authorities } = await readNewestRoot(store)
  const expiresAt = now() + (authorities === undefined ? DAY_MS : PEOPLE_MS)
  // Before anything is kept: a key that is none is refused here.
  const records = proofRecords(context, { kind: proof, namespace, account, challenge, x })
  await store.putChallenge({ challenge, namespace, account, kind: proof, expiresAt })
  const expires = new Date(expiresAt).toISOString()
  return { namespace, proof, account, challenge, audience: ledger.identity, expires, records }
}

/** Nobody has it yet, or this account proves again what it proved in this way before. */
export function assertOpen(
  row: NamespaceRow | undefined,
  namespace: string,
  account: string,
  proof: ProofKind,
): void {
  if (row === undefined || (row.account === account && row.proof === proof)) return
  throw new LedgerRefusal('namespace-taken', 'the namespace has its first key already', { namespace })
}

/** The challenge still stands, and was for exactly this claim. Throws `challenge-invalid`. */
export function assertChallenge(
  row: ChallengeRow | undefined,
  event: NamespaceEvent,
  now: number,
): ChallengeRow {
  const { namespace, account, proof } = event
  const isOurs = row?.namespace === namespace && row.account === account && row.kind === proof
  if (isOurs && now < row.expiresAt) return row
  return challengeGone(namespace)
}

export function challengeGone(namespace: string): never {
  throw new LedgerRefusal(
    'challenge-invalid',
    'the challenge is not one for this claim, was used or expired',
    {
      namespace,
    },
  )
}

/** The key that the event enrols answered this challenge of this registry. A token carries the challenge itself. */
export function verifyAnswer(
  event: NamespaceEvent,
  audience: string,
  { challenge, kind }: ChallengeRow,
  signature: string | undefined,
): void {
  const { namespace, account } = event
  if (signature === undefined) {
    if (kind === 'oidc') return
    throw new LedgerRefusal('signature-invalid', 'the challenge is answered by the key that is enrolled', {
      namespace,
    })
  }
  verifyNamespaceProof({ namespace, account, audience, challenge }, signature, decodeKeyX(event.x))
}
