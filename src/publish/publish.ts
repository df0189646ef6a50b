import { foldServerName, type Digest } from 'countersign/core'
import type { Finding } from 'countersign/gates'
import type { Principal } from '../auth/scopes.js'
import type { Claims } from '../judge/examine.js'
import type { Candidate } from '../log/ledger.js'
import type { Context } from '../publishers/context.js'
import { approveByRule } from '../review/auto.js'
import { changeOf, type ReviewChange, type Subject } from '../review/change.js'
import type { ManifestRow, ManifestStatus } from '../storage/store.js'
import type { Draft } from './draft.js'
import { authorisePublication } from './authorise.js'
import { asPublished } from './catalogue.js'
import { ManifestRefused } from './errors.js'
import { inspect, type PublishContext } from './inspect.js'
import { assertTrustedHere } from './limits.js'
import { findLateLookalikes, type Late } from './lookalikes.js'
import { assertClaims, verifySubmission, type Submission } from './submission.js'

export interface Published {
  readonly manifest: Digest
  readonly server: string
  readonly version: string
  readonly status: ManifestStatus
  readonly index: number
  readonly findings: readonly Finding[]
  /** False when the very same envelope was there already. */
  readonly created: boolean
}

/**
 * THE JOURNEY of a manifest into the log:
 * 1. the signature, by a key of the caller's namespace, over these bytes; only then they are parsed, and go through
 *    the gates;
 * 2. a workflow publishes what it was trusted with;
 * 3. the same bytes again are an answer, not an event;
 * 4. claims: for this registry, not expired;
 * 5. its names beside those that are known; and what it changes;
 * 6. the log: whatever another event could have changed is decided again in its order; then it waits for review;
 * 7. or approves itself, where the admission policy lets this class of change do so.
 */
export async function publish(
  context: PublishContext,
  principal: Principal,
  envelope: string,
): Promise<Published> {
  const submission = await verifySubmission(context, principal.account, envelope)
  await assertTrustedHere(context.store, principal, submission.claims.server)
  const known = await findLogged(context, submission)
  if (known !== undefined) return publishedAs(asPublished(known, context.ledger), false)
  assertClaims(submission, context.ledger.identity, context.now())
  const { findings, knownServer, seen } = await inspect(context, submission)
  if (findings.some((finding) => finding.refuse)) throw new ManifestRefused(findings)
  const change = await changeOf(context, subjectOf(submission), findings)
  const draft = draftRow(submission, findings, change, context.now())
  const { published, isFresh } = await append(context, draft, submission.claims, { knownServer, seen })
  return isFresh ? approvedByRule(context, published) : published
}

/**
 * These very bytes, where they stand already: whatever would be said of them today. What no published checkpoint covers yet
 * is for the log to answer, which waits for it.
 */
async function findLogged(
  { store, ledger }: Context,
  { manifestDigest, envelopeDigest }: Submission,
): Promise<ManifestRow | undefined> {
  const row = await store.readManifest(manifestDigest)
  if (row?.envelopeDigest !== envelopeDigest) return undefined
  const { publishIndex: existing } = row
  if (!ledger.isPublished(existing)) {
    await ledger.submit({
      authorise: () => Promise.resolve({ existing }),
      event: () => publishEvent(row),
      apply: () => Promise.resolve(),
    })
  }
  return row
}

interface Measured {
  readonly knownServer: boolean
  /** Index up to which names were measured; undefined where none need be. */
  readonly seen: number | undefined
}

/** `isFresh`: its version was logged for the first time. The same content under another key waits for a person. */
interface Appended {
  readonly published: Published
  readonly isFresh: boolean
}

async function append(
  context: Context,
  draft: Draft,
  claims: Claims,
  { knownServer, seen }: Measured,
): Promise<Appended> {
  let existing: ManifestRow | undefined
  let isFresh = false
  let late: Late = { findings: [], holds: [] }
  const candidate: Candidate = {
    event: () => publishEvent(draft),
    async authorise(tx, index) {
      const { taken, same } = await authorisePublication(tx, draft, {
        index,
        knownServer,
        now: context.now(),
      })
      existing = same ? taken : undefined
      isFresh = taken === undefined
      if (existing !== undefined) return { existing: existing.publishIndex }
      if (seen !== undefined) late = await findLateLookalikes(tx, claims, draft.namespace, seen)
      return undefined
    },
    async apply(tx, index) {
      await tx.putManifest(rowOf(draft, late, index))
      for (const row of late.holds) await tx.putManifest(row)
      const { account, manifest: target, server, version, kid } = draft
      const detail = JSON.stringify({ server, version, kid })
      await tx.addAudit({ at: context.now(), account, action: 'publish', target, detail, index })
    },
  }
  const { index } = await context.ledger.submit(candidate)
  if (existing !== undefined) {
    return { published: publishedAs(asPublished(existing, context.ledger), false), isFresh: false }
  }
  return { published: publishedAs(rowOf(draft, late, index), true), isFresh }
}

function rowOf(draft: Draft, { findings }: Late, publishIndex: number): ManifestRow {
  if (findings.length === 0) return { ...draft, publishIndex }
  const all = [...(JSON.parse(draft.findings) as Finding[]), ...findings]
  return { ...draft, findings: JSON.stringify(all), publishIndex }
}

async function approvedByRule(context: Context, published: Published): Promise<Published> {
  const index = await approveByRule(context, published.manifest, published.index)
  // Until hosts can prove the approval, it is none.
  const isApproved = index !== undefined && context.ledger.isPublished(index)
  return isApproved ? { ...published, status: 'approved' } : published
}

function draftRow(
  submission: Submission,
  findings: readonly Finding[],
  change: ReviewChange,
  now: number,
): Draft {
  const { claims } = submission
  return {
    manifest: submission.manifestDigest,
    envelopeDigest: submission.envelopeDigest,
    envelope: submission.envelope,
    server: claims.server,
    folded: foldServerName(claims.server),
    namespace: submission.namespace,
    version: claims.version,
    role: claims.role,
    kid: submission.kid,
    account: submission.account,
    status: 'pending',
    findings: JSON.stringify(findings),
    submittedAt: now,
    toolDigests: submission.toolDigests,
    lookups: submission.lookups,
    changeClass: change.class,
    ...(change.base !== undefined && { changeBase: change.base }),
    ...(claims.title !== undefined && { title: claims.title }),
    ...(claims.description !== undefined && { description: claims.description }),
  }
}

function subjectOf({ manifestDigest: digest, claims: { server }, envelope }: Submission): Subject {
  return { digest, server, envelope }
}

function publishEvent(draft: Draft) {
  const { server, version, role, kid, manifest, envelopeDigest } = draft
  return { v: 1, t: 'publish', server, version, role, kid, manifest, envelope: envelopeDigest } as const
}

function publishedAs(row: ManifestRow, created: boolean): Published {
  const { manifest, server, version, status, publishIndex } = row
  const findings = JSON.parse(row.findings) as Finding[]
  return { manifest, server, version, status, index: publishIndex, findings, created }
}
