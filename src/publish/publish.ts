import { foldServerName, itemDigests, manifestItems, type Digest, type Manifest } from 'countersign/core'
import type { Finding } from 'countersign/gates'
import { LedgerRefusal } from '../log/errors.js'
import type { Candidate } from '../log/ledger.js'
import type { Context } from '../publishers/context.js'
import { assertActsFor, countsAt, findActive } from '../publishers/keys.js'
import type { BatchTx, ManifestRow, ManifestStatus } from '../storage/store.js'
import { ManifestRefused } from './errors.js'
import { inspect, type Inspection, type PublishContext } from './inspect.js'
import { lookupKeys } from './lookups.js'
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
 * 1. the signature, by a key of the caller's namespace, over these bytes; only then they are parsed;
 * 2. the same bytes again are an answer, not an event;
 * 3. claims: for this registry, not expired;
 * 4. the gates, with the facts they need;
 * 5. the log: whatever another event could have changed is decided again in its order; then it waits for review.
 */
export async function publish(
  context: PublishContext,
  account: string,
  envelope: string,
): Promise<Published> {
  const submission = await verifySubmission(context, account, envelope)
  const known = await findPublished(context, submission)
  if (known !== undefined) return publishedAs(known, false)
  assertClaims(submission, context.ledger.identity, context.now())
  const inspection = await inspect(context, submission)
  if (inspection.findings.some((finding) => finding.refuse)) throw new ManifestRefused(inspection.findings)
  return append(context, submission, inspection)
}

/** What no published checkpoint covers yet is for the log to answer. */
async function findPublished(
  { store, ledger }: Context,
  { manifestDigest, envelopeDigest }: Submission,
): Promise<ManifestRow | undefined> {
  const row = await store.readManifest(manifestDigest)
  const same = row?.envelopeDigest === envelopeDigest && row.publishIndex < ledger.publishedSize()
  return same ? row : undefined
}

async function append(context: Context, submission: Submission, inspection: Inspection): Promise<Published> {
  const draft = draftRow(submission, inspection.findings, context.now())
  let existing: ManifestRow | undefined
  const candidate: Candidate = {
    event: () => publishEvent(draft),
    async authorise(tx, index) {
      existing = await authorise(tx, draft, index, inspection.knownServer)
      return existing === undefined ? undefined : { existing: existing.publishIndex }
    },
    async apply(tx, index) {
      await tx.putManifest({ ...draft, publishIndex: index })
      await tx.noteAbout(`manifest:${draft.manifest}`, index)
      await tx.addAudit({
        at: context.now(),
        account: draft.account,
        action: 'publish',
        target: draft.manifest,
        detail: JSON.stringify({ server: draft.server, version: draft.version, kid: draft.kid }),
        index,
      })
    },
  }
  const { index } = await context.ledger.submit(candidate)
  return publishedAs(existing ?? { ...draft, publishIndex: index }, existing === undefined)
}

type Draft = Omit<ManifestRow, 'publishIndex'>

function draftRow(submission: Submission, findings: readonly Finding[], now: number): Draft {
  const { manifest } = submission
  return {
    manifest: submission.manifestDigest,
    envelopeDigest: submission.envelopeDigest,
    envelope: submission.envelope,
    server: manifest.server,
    folded: foldServerName(manifest.server),
    namespace: submission.namespace,
    version: manifest.version,
    role: manifest.role,
    kid: submission.kid,
    account: submission.account,
    status: 'pending',
    findings: JSON.stringify(findings),
    submittedAt: now,
    toolDigests: toolDigests(manifest),
    lookups: lookupKeys(manifest),
  }
}

function toolDigests(manifest: Manifest): ManifestRow['toolDigests'] {
  const tools = manifestItems(manifest).filter((item) => item.kind === 'tool')
  return tools.flatMap(({ name, item }) => itemDigests('tool', item).map((digest) => ({ name, digest })))
}

function publishEvent(draft: Draft) {
  const { server, version, role, kid, manifest, envelopeDigest } = draft
  return { v: 1, t: 'publish', server, version, role, kid, manifest, envelope: envelopeDigest } as const
}

/**
 * In log order: the account acts for the namespace, the key is active, the name is the namespace's, and the version
 * is free or says the same.
 */
async function authorise(
  tx: BatchTx,
  draft: Draft,
  index: number,
  knownServer: boolean,
): Promise<ManifestRow | undefined> {
  await assertActsFor(tx, draft.namespace, draft.account)
  const keys = await tx.readKeys(draft.namespace)
  const key = findActive(keys, draft.kid, 'sign')
  if (key === undefined || !countsAt(key, index)) {
    throw new LedgerRefusal('key-inactive', 'the signing key is not active', { kid: draft.kid })
  }
  const taken = await tx.readVersion(draft.server, draft.version)
  if (taken === undefined) return knownServer ? undefined : assertNameFree(tx, draft)
  // PROTOCOL 6: one manifest digest per (server, version) for ever.
  if (taken.manifest !== draft.manifest) {
    const { server, version } = draft
    throw new LedgerRefusal('version-taken', 'this version stands already, with another content', {
      server,
      version,
    })
  }
  if (taken.envelopeDigest === draft.envelopeDigest) return taken
  return assertUncounted(tx, taken)
}

/** Server names are unique by their case-folded form; a name that was logged once needs no second look. */
async function assertNameFree(tx: BatchTx, draft: Draft): Promise<undefined> {
  const server = await tx.readServerNamed(draft.folded)
  if (server !== undefined && server !== draft.server) {
    throw new LedgerRefusal('server-taken', 'the name differs from another only in case', { server })
  }
}

/** The same content under another key, only when the key it was published with no longer counts for that. */
async function assertUncounted(tx: BatchTx, taken: ManifestRow): Promise<undefined> {
  if (taken.status === 'revoked') {
    throw new LedgerRefusal('manifest-status', 'this content is revoked', { status: taken.status })
  }
  const keys = await tx.readKeys(taken.namespace)
  const counts = keys.some(
    (key) => key.kid === taken.kid && key.role === 'sign' && countsAt(key, taken.publishIndex),
  )
  if (counts) {
    const { server, version } = taken
    throw new LedgerRefusal('version-taken', 'this content is published already, by a key that counts', {
      server,
      version,
    })
  }
}

function publishedAs(row: ManifestRow, created: boolean): Published {
  const { manifest, server, version, status, publishIndex } = row
  const findings = JSON.parse(row.findings) as Finding[]
  return { manifest, server, version, status, index: publishIndex, findings, created }
}
