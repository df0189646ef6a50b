import {
  formatEvent,
  leafHash,
  refuse,
  utf8Bytes,
  type NamespaceEvent,
  type TrustRoot,
} from 'countersign/core'
import type { Candidate } from '../../log/ledger.js'
import { LedgerRefusal } from '../../log/errors.js'
import { readNewestRoot } from '../../log/root-notes.js'
import type { ChallengeRow, ProofRow } from '../../storage/store.js'
import { assertChallenge, assertOpen, challengeGone, verifyAnswer } from './challenge.js'
import type { Context } from '../context.js'
import { noteKeyEvent } from '../enrol.js'
import { parseKeyEvent, verifyFirstKey, type VerifiedKeyEvent } from '../key-event.js'
import { putFirstKey } from '../key-rows.js'
import { assertLatest, assertUnowned } from '../key-rules.js'
import { assertPresent, lookAtProof, speakingKids, type ProofKind } from './kinds.js'

export interface ClaimAnswer {
  readonly namespace: string
  readonly challenge: string
  /** The `namespace` event, signed by the key it enrols. */
  readonly event: string
  /** That key's answer to the challenge. */
  readonly signature?: string | undefined
  /** Of an identity provider. */
  readonly token?: string | undefined
}

export interface Claimed {
  readonly namespace: string
  readonly index: number
  readonly proof: ProofKind
  readonly subject: string
}

type ClaimEvent = NamespaceEvent & { readonly proof: ProofKind }

/**
 * THE JOURNEY of a claim into the log:
 * 1. the event: a first key, for the account that asks;
 * 2. the challenge: ours, for this claim, and answered by that key;
 * 3. a look at what should prove it;
 * 4. the log: who is first in its order owns the namespace, and the challenge is gone.
 * The same event once more proves again what is enrolled already.
 */
export async function proveNamespace(
  context: Context,
  account: string,
  answer: ClaimAnswer,
): Promise<Claimed> {
  const event = parseClaim(answer, account)
  const logged = await readLogged(context, event)
  const row = await context.store.readChallenge(answer.challenge)
  // An answer that was lost: the claim was logged, and its challenge taken with it.
  if (logged !== undefined && row === undefined)
    return claimedAs(event, logged, await readSubject(context, event))
  const challenge = assertChallenge(row, event, context.now())
  const root = await readNewestRoot(context.store)
  const verified = verifyFirstKey(event, root)
  verifyAnswer(event, context.ledger.identity, challenge, answer.signature)
  const proof = await look(context, event, challenge, answer.token)
  if (logged === undefined)
    return claimedAs(event, await enrol(context, { verified, challenge, proof, root }), proof.subject)
  await renew(context, challenge, proof)
  return claimedAs(event, logged, proof.subject)
}

function parseClaim({ namespace, event: text }: ClaimAnswer, account: string): ClaimEvent {
  const event = parseKeyEvent(text, namespace)
  if (event.t !== 'namespace' || event.proof === 'admin' || event.after !== undefined) {
    return refuse('event-invalid', 'a claim enrols the first key of a namespace by a proof', { t: event.t })
  }
  if (event.account !== account) refuse('event-invalid', 'the event names another account', { account })
  return { ...event, proof: event.proof }
}

/** Where this very event stands already; anybody else's first key takes the namespace. */
async function readLogged({ store }: Context, event: ClaimEvent): Promise<number | undefined> {
  const row = await store.readNamespace(event.namespace)
  if (row === undefined) return undefined
  assertOpen(row, event.namespace, event.account, event.proof)
  const leaf = await store.readLeaf(row.index)
  if (leaf === formatEvent(event)) return row.index
  throw new LedgerRefusal('namespace-taken', 'the namespace was enrolled by another event', {
    namespace: event.namespace,
  })
}

async function readSubject({ store }: Context, { namespace }: ClaimEvent): Promise<string> {
  const proof = await store.readProof(namespace)
  return proof?.subject ?? challengeGone(namespace)
}

async function look(
  context: Context,
  { namespace, account, proof: kind, kid }: ClaimEvent,
  { challenge }: ChallengeRow,
  token: string | undefined,
): Promise<ProofRow> {
  const found = await lookAtProof(context, { kind, namespace, account, kids: [kid], challenge, token })
  const subject = assertPresent(found, namespace, kind)
  return { namespace, kind, subject, kid, checkedAt: context.now(), suspended: false }
}

interface Proven {
  readonly verified: VerifiedKeyEvent<NamespaceEvent>
  readonly challenge: ChallengeRow
  readonly proof: ProofRow
  /** The trust root it was verified by. */
  readonly root: TrustRoot
}

async function enrol(
  context: Context,
  { verified, challenge: { challenge }, proof, root }: Proven,
): Promise<number> {
  const { event } = verified
  const candidate: Candidate = {
    event: () => event,
    async authorise(tx) {
      const existing = await tx.isLogged(leafHash(utf8Bytes(formatEvent(event))))
      if (existing !== undefined) return { existing }
      await assertUnowned(tx, event.namespace)
      await assertLatest(tx, event)
      // A root that was logged meanwhile may name other authorities.
      const inForce = await readNewestRoot(tx)
      if (inForce.version !== root.version) verifyFirstKey(event, inForce)
      // Last, because it is taken with the answer: whatever is refused before leaves it to its owner.
      if (!(await tx.takeChallenge(challenge))) challengeGone(event.namespace)
      return undefined
    },
    async apply(tx, index) {
      await putFirstKey(tx, event, index)
      await tx.putProof(proof)
      await noteKeyEvent(context, tx, verified, event.account, index)
    },
  }
  return (await context.ledger.submit(candidate)).index
}

/**
 * No event: who owns it stays as it was. An identity provider may give an owner's name to somebody else, but never
 * the number.
 */
async function renew({ store, now }: Context, { challenge }: ChallengeRow, proof: ProofRow): Promise<void> {
  const { namespace, kind, subject, kid } = proof
  await store.commitBatch(async (tx) => {
    if (!speakingKids(await tx.readKeys(namespace)).includes(kid)) {
      throw new LedgerRefusal('key-inactive', 'the first key was compromised and proves nothing', { kid })
    }
    const before = await tx.readProof(namespace)
    if (kind === 'oidc' && before?.subject !== subject) {
      throw new LedgerRefusal('proof-failed', 'the owner of this name is another than before', {
        namespace,
        subject,
      })
    }
    if (!(await tx.takeChallenge(challenge))) challengeGone(namespace)
    await tx.putProof(proof)
    const account = (await tx.readNamespace(namespace))?.account ?? ''
    const detail = JSON.stringify({ kind, subject })
    await tx.addAudit({ at: now(), account, action: 'namespace.prove', target: namespace, detail })
  })
}

function claimedAs({ namespace, proof }: ClaimEvent, index: number, subject: string): Claimed {
  return { namespace, index, proof, subject }
}
