import type { Digest, Manifest } from 'countersign/core'
import type { Change } from 'countersign/change'
import type { Finding } from 'countersign/gates'
import { openDocuments, readDocument } from '../judge/documents.js'
import { judgeOf, type Judge, type Side } from '../judge/judge.js'
import { LedgerRefusal } from '../log/errors.js'
import type { ManifestRow, Store } from '../storage/store.js'
import { readBase, type BaseReads } from './base.js'
import { compareOnce } from './comparison.js'
import type { ReviewClass } from './policy.js'

/** What a manifest changes against what its server had approved last. */
export interface ReviewChange {
  readonly class: ReviewClass
  /** Absent when nothing of the server is approved. */
  readonly base?: Digest
  readonly changes: readonly Change[]
  /** How many more there are than are listed. */
  readonly more: number
}

/** What is compared with the base of its server. */
export interface Subject {
  readonly digest: Digest
  readonly server: string
  readonly envelope: string
}

interface Where {
  readonly store: BaseReads & Pick<Store, 'readManifest'>
  readonly judge?: Judge
}

/** Compares with what its server has approved as it is now; a decision asks again whether that still is the base. */
export async function changeOf(
  where: Where,
  { digest, server, envelope }: Subject,
  findings: readonly Finding[],
): Promise<ReviewChange> {
  const base = (await readBase(where.store, server))?.manifest
  if (base === undefined) return FIRST
  const before: Side = {
    digest: base,
    envelope: async () => (await where.store.readManifest(base))?.envelope,
  }
  const after: Side = { digest, envelope: () => Promise.resolve(envelope) }
  const compared = await compareOnce(judgeOf(where), [before, after], findings)
  return compared === undefined ? FIRST : { ...compared, base }
}

const FIRST: ReviewChange = { class: 'first', changes: [], more: 0 }

/** Reads only, in log order: what was compared is still what the server has approved. */
export async function assertBase(reads: BaseReads, server: string, base: Digest | undefined): Promise<void> {
  const newest = (await readBase(reads, server))?.manifest
  if (newest === base) return
  throw new LedgerRefusal(
    'base-outdated',
    'another version was approved meanwhile: look at the change again',
    {
      base: base ?? null,
      newest: newest ?? null,
    },
  )
}

/** Manifests that are shown again and again. */
const parsed = openDocuments({ count: 64, characters: 8 * 1024 * 1024 })
const MAX_KEPT_CHARACTERS = 128 * 1024

/** The manifest in an envelope that was verified before it was stored. It is shared: nobody changes it. */
export function documentOf({ manifest: digest, envelope }: ManifestRow): Manifest {
  const known = parsed.get(digest)
  if (known !== undefined) return known
  const manifest = readDocument(envelope)
  if (envelope.length <= MAX_KEPT_CHARACTERS) parsed.keep(digest, manifest, envelope.length)
  return manifest
}

export function findingsOf(row: Pick<ManifestRow, 'findings'>): Finding[] {
  return JSON.parse(row.findings) as Finding[]
}
