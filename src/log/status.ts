import {
  formatStatus,
  inclusionProofAsync,
  STATUS_FORMAT,
  type AsyncHashReader,
  type ProvenSnapshot,
} from 'countersign/core'
import { LedgerFatal } from './errors.js'
import type { LogHead } from './head.js'

/** A checkpoint and its last entry: what a status says of one tree. */
export interface ProvenTree {
  readonly size: number
  readonly note: string
  readonly snapshot: ProvenSnapshot
  /** Root of the revocation list, in base64. */
  readonly revocations: string
}

/** Proves a head's snapshot at the place every snapshot has: the end of its tree. */
export async function proveTree(
  read: AsyncHashReader,
  { size, note, snapshot }: Pick<LogHead, 'size' | 'note' | 'snapshot'>,
): Promise<ProvenTree> {
  if (snapshot === undefined) throw new LedgerFatal('state-invalid', 'the log has no snapshot yet')
  const { leaf, event } = snapshot
  const proof = await inclusionProofAsync(size - 1, size, read)
  return { size, note, snapshot: { event: leaf, proof }, revocations: event.revocations }
}

/** Whether the newer tree revokes something, or takes a revocation back, that the published one does not know of. */
export function isDenying(newer: Pick<ProvenTree, 'size' | 'revocations'>, shown: ProvenTree): boolean {
  return newer.size > shown.size && newer.revocations !== shown.revocations
}

/**
 * The document of what is published; with `denials`, a newer tree that the log alone has signed, where it denies
 * something (PROTOCOL 7).
 */
export function statusOf(registry: string, shown: ProvenTree, denials?: ProvenTree): Uint8Array {
  const denying = denials !== undefined && isDenying(denials, shown) ? denials : undefined
  return formatStatus({
    format: STATUS_FORMAT,
    registry,
    checkpoint: shown.note,
    snapshot: shown.snapshot,
    ...(denying && { denials: { checkpoint: denying.note, snapshot: denying.snapshot } }),
  })
}
