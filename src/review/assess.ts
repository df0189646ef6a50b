import type { Digest, Manifest } from 'countersign/core'
import { LedgerRefusal } from '../log/errors.js'
import { countsAt } from '../publishers/keys.js'
import type { Context } from '../publishers/context.js'
import type { ManifestRow } from '../storage/store.js'
import { assertBase, changeOf, documentOf, findingsOf, type ReviewChange } from './change.js'
import { assertLatest, assertStatus, readTarget, type ReviewReads } from './deciders.js'
import { assertNoLine, linesAbout } from './lines.js'
import { needsOf, type Needs } from './needs.js'
import { readPolicyInForce, type PolicyInForce } from './policy.js'

/** A manifest that somebody wants approved, with what takes long: read and compared before the log decides. */
export interface Proposal {
  readonly row: ManifestRow
  readonly manifest: Manifest
  readonly change: ReviewChange
}

export async function readProposal(context: ReadsChange, digest: Digest): Promise<Proposal> {
  const compared = await readCompared(context, digest)
  return { ...compared, manifest: documentOf(compared.row) }
}

type ReadsChange = Pick<Context, 'store' | 'judge'>

/** Without the manifest itself, which takes as long to parse as it is large. */
export async function readCompared(
  context: ReadsChange,
  digest: Digest,
): Promise<Omit<Proposal, 'manifest'>> {
  const row = await readTarget(context.store, digest)
  const { server, envelope } = row
  return { row, change: await changeOf(context, { digest, server, envelope }, findingsOf(row)) }
}

/** What the log knows of a proposal at the moment it decides. */
export interface Assessment {
  readonly row: ManifestRow
  readonly after: number
  readonly inForce: PolicyInForce
  readonly needs: Needs
}

/**
 * Decided in log order: it waits, and nothing newer was decided · its key still counts for it, and nothing of it is
 * revoked · it was compared with what is approved now · every check of the policy in force holds.
 */
export async function assessProposal(
  reads: ReviewReads,
  proposal: Proposal,
  after: number | undefined,
): Promise<Assessment> {
  const { manifest: digest, server } = proposal.row
  const row = await readTarget(reads, digest)
  const target = `manifest:${digest}`
  const latest = after ?? (await reads.latestAbout(target)) ?? row.publishIndex
  await assertLatest(reads, target, latest)
  assertStatus(row, ['pending', 'rejected'])
  await assertKeyCounts(reads, row)
  await assertNoLine(reads, linesAbout(row))
  await assertBase(reads, server, proposal.change.base)
  const inForce = await readPolicyInForce(reads)
  const needs = await readNeeds(reads, row, proposal, inForce)
  return { row, after: latest, inForce, needs }
}

export async function readNeeds(
  reads: Pick<ReviewReads, 'isServerApproved' | 'readNamespace' | 'readProof'>,
  row: ManifestRow,
  { manifest, change }: Omit<Proposal, 'row'>,
  { policy }: PolicyInForce,
): Promise<Needs> {
  const facts = {
    manifest,
    findings: findingsOf(row),
    namespace: await reads.readNamespace(row.namespace),
    proof: await reads.readProof(row.namespace),
  }
  const lapsed = change.class === 'first' && (await reads.isServerApproved(row.server))
  return needsOf(policy, change.class, facts, lapsed)
}

export function assertChecks({ checks }: Needs): void {
  const failed = checks.filter(({ holds }) => !holds)
  if (failed.length === 0) return
  throw new LedgerRefusal('check-failed', 'checks that the admission policy requires do not hold', {
    checks: failed.map(({ check }) => check),
    why: failed.map(({ why }) => why ?? ''),
  })
}

async function assertKeyCounts(reads: ReviewReads, row: ManifestRow): Promise<void> {
  const keys = await reads.readKeys(row.namespace)
  const counts = keys.some(
    (key) => key.kid === row.kid && key.role === 'sign' && countsAt(key, row.publishIndex),
  )
  if (!counts)
    throw new LedgerRefusal('key-inactive', 'its signing key no longer counts for it', { kid: row.kid })
}
