import { keyThumbprint, decodeKeyX } from 'countersign/core'
import { LedgerRefusal } from '../../log/errors.js'
import type { KeyRow, ProofRow } from '../../storage/store.js'
import { findIssuer, NAMESPACE_ISSUERS, type NamespaceIssuer } from './issuers.js'
import type { Context } from '../context.js'
import { absent, type Look } from './look.js'
import { dnsRecords, lookAtDns } from './dns.js'
import { httpRecords, lookAtHttp } from './http.js'
import { challengeAudience, lookAtToken } from './oidc.js'
import type { Wanted } from './records.js'

export type ProofKind = ProofRow['kind']

/** What to put where, so that a proof is found. */
export interface ProofRecord {
  /** A TXT record, a line of a document, or the audience of a token. */
  readonly type: 'TXT' | 'https' | 'audience'
  readonly at: string
  readonly value: string
}

export function issuersOf({ namespaceIssuers }: Context): readonly NamespaceIssuer[] {
  return namespaceIssuers ?? NAMESPACE_ISSUERS
}

/** Records that would prove it, each enough by itself. Without the key's `x` its place is marked. */
export function proofRecords(
  context: Context,
  claim: { kind: ProofKind; namespace: string; account: string; challenge: string; x?: string | undefined },
): readonly ProofRecord[] {
  const { kind, namespace, account, challenge, x } = claim
  const registry = context.ledger.identity
  if (kind === 'oidc') {
    const at = findIssuer(issuersOf(context), namespace)?.issuer ?? ''
    return [{ type: 'audience', at, value: challengeAudience(registry, challenge) }]
  }
  if (x === undefined) return []
  const wanted: Wanted = { registry, account, kids: [] }
  const key = { x, kid: keyThumbprint(decodeKeyX(x)) }
  return (kind === 'dns' ? dnsRecords : httpRecords)(namespace, wanted, key)
}

/** Asks whoever can say whether the account and one of its keys own the namespace. */
export async function lookAtProof(
  context: Context,
  asked: {
    kind: ProofKind
    namespace: string
    account: string
    kids: readonly string[]
    challenge?: string
    token?: string | undefined
  },
): Promise<Look> {
  const { kind, namespace, account, kids, challenge, token } = asked
  const { outside, ledger } = context
  const registry = ledger.identity
  if (kind === 'dns') return lookAtDns(outside, namespace, { registry, account, kids })
  if (kind === 'http') return lookAtHttp(outside, namespace, { registry, account, kids })
  const issuer = findIssuer(issuersOf(context), namespace)
  if (issuer === undefined || challenge === undefined || token === undefined) {
    return absent('a claim of an identity provider is proved by its token')
  }
  return lookAtToken(context, issuer, { namespace, token, audience: challengeAudience(registry, challenge) })
}

/** The subject of a proof that was found. Throws `proof-failed`, or `proof-unreachable` where nobody answered. */
export function assertPresent(look: Look, namespace: string, kind: ProofKind): string {
  if (look.is === 'present') return look.subject
  const code = look.is === 'absent' ? 'proof-failed' : 'proof-unreachable'
  throw new LedgerRefusal(code, look.why, { namespace, proof: kind })
}

/**
 * Keys that a record may name on a later look: every own key, also a superseded one, so that a rotation does not need
 * a new record at the same moment. One that was compromised, or that never counted, speaks for nobody.
 */
export function speakingKids(keys: readonly KeyRow[]): string[] {
  return keys
    .filter(({ role, reason }) => role === 'own' && reason !== 'compromise')
    .filter(({ added, invalidFrom }) => invalidFrom === undefined || added < invalidFrom)
    .map(({ kid }) => kid)
}
