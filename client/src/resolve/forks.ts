import {
  CountersignError,
  equalBytes,
  nodeHash,
  parseStatus,
  utf8Bytes,
  verifyConsistency,
} from '../core/index.js'
import type { RegistryApi } from '../registry-api.js'
import { asVerdict } from '../verdict.js'

/** A tree that somebody signed. */
export interface SignedTree {
  readonly size: number
  readonly root: Uint8Array
  /** The verified status it came with, where it did: that proves its last entry. */
  readonly status?: string
}

/** Whose log it is of, and what is being proved. */
export interface ProofSource {
  readonly api: RegistryApi
  /** The origin of a frozen log; absent for the active one. */
  readonly log?: string
  readonly step: number
}

/**
 * Whether the smaller of two trees is a prefix of the larger: `fork` only where the proof shows that the larger was signed
 * upon another past. A proof that leads nowhere is any mirror's nonsense: refused, and no evidence against the log.
 * @throws CountersignError `proof-invalid`, `registry-error` when there is no such proof, `registry-unreachable`
 */
export async function relateTrees(
  source: ProofSource,
  a: SignedTree,
  b: SignedTree,
): Promise<'prefix' | 'fork'> {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a]
  if (small.size === large.size) return equalBytes(small.root, large.root) ? 'prefix' : 'fork'
  const proof = await source.api.fetchConsistency(small.size, large.size, source.log)
  try {
    verifyConsistency(small.size, large.size, proof, small.root, large.root)
    return 'prefix'
  } catch (error) {
    if (isOtherPast(error) || (await showsOtherPast(source, small, large))) return 'fork'
    throw asVerdict(error, source.step, 'proof-invalid')
  }
}

/** The proof builds the larger tree, upon another smaller one. */
export function isOtherPast(error: unknown): boolean {
  return error instanceof CountersignError && error.detail['otherPast'] === true
}

/**
 * The proof from a tree of 2^k entries leaves that tree's own hash out, so a fork there looks like nonsense. One entry
 * further the hash stands in the proof: beside the last leaf, which stands there too.
 */
export async function showsOtherPast(
  { api, log }: ProofSource,
  small: SignedTree,
  large: SignedTree,
): Promise<boolean> {
  const next = small.size + 1
  if (small.size < 2 || !Number.isInteger(Math.log2(small.size)) || next > large.size) return false
  if (next === large.size) return showsOtherEdge(small, large)
  const proof = await api.fetchConsistency(next, large.size, log).catch(asNone)
  const [leaf] = proof
  if (leaf?.length !== 32) return false
  try {
    verifyConsistency(next, large.size, proof, nodeHash(small.root, leaf), large.root)
    return false
  } catch (error) {
    return isOtherPast(error)
  }
}

/** The last entry's proof in a tree of 2^k + 1 is the one hash of everything before it. */
function showsOtherEdge(small: SignedTree, { status }: SignedTree): boolean {
  if (status === undefined) return false
  const [before] = parseStatus(utf8Bytes(status)).snapshot.proof
  return before !== undefined && !equalBytes(before, small.root)
}

/** Who does not answer shows nothing; the first proof is refused in any case. */
function asNone(error: unknown): Uint8Array[] {
  if (error instanceof CountersignError) return []
  throw error
}
