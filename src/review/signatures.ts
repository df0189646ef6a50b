import {
  CountersignError,
  decodeKeyX,
  eventSignatureKid,
  keyThumbprint,
  verifyEventSignature,
  type KeyThreshold,
} from 'countersign/core'
import { LedgerRefusal } from '../log/errors.js'
import type { SignatureRow } from '../storage/store.js'
import type { Decision } from './motion-types.js'

/** Who must sign besides, and the registry that they sign for. */
export interface Approvers {
  readonly keys: KeyThreshold
  readonly registry: string
}

/**
 * The kid of the approver key of the trust root that made a detached signature over exactly this draft.
 * Throws LedgerRefusal `signature-invalid`.
 */
export function verifyApprover(draft: Decision, signature: string, { keys, registry }: Approvers): string {
  try {
    const kid = eventSignatureKid(draft, signature)
    const x = keys.keys.find((key) => keyThumbprint(decodeKeyX(key)) === kid)
    if (x !== undefined) {
      verifyEventSignature(draft, signature, registry, decodeKeyX(x))
      return kid
    }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
  }
  throw new LedgerRefusal('signature-invalid', 'no approver of the trust root signed this draft', {
    field: '/signature',
  })
}

/** The kept signatures that hold for this very draft, by kid: one over another draft counts for nothing. */
export function holdingSignatures(
  draft: Decision,
  kept: readonly SignatureRow[],
  approvers: Approvers,
): Map<string, string> {
  const holding = new Map<string, string>()
  for (const { sig } of kept) {
    try {
      holding.set(verifyApprover(draft, sig, approvers), sig)
    } catch (cause) {
      if (!(cause instanceof LedgerRefusal)) throw cause
    }
  }
  return holding
}
