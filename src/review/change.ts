import { decodeBase64url, parseManifest, type Digest, type Manifest } from 'countersign/core'
import type { Change } from 'countersign/change'
import type { Finding } from 'countersign/gates'
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

type Reads = BaseReads & Pick<Store, 'readManifest'>

/** Compares with what its server has approved as it is now; a decision asks again whether that still is the base. */
export async function changeOf(
  reads: Reads,
  digest: Digest,
  manifest: Manifest,
  findings: readonly Finding[],
): Promise<ReviewChange> {
  const newest = await readBase(reads, manifest.server)
  const base = newest === undefined ? undefined : await reads.readManifest(newest.manifest)
  if (base === undefined) return { class: 'first', changes: [], more: 0 }
  const before = { digest: base.manifest, document: () => documentOf(base) }
  return { ...compareOnce(before, { digest, document: () => manifest }, findings), base: base.manifest }
}

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

/** The manifest in an envelope that was verified before it was stored. */
export function documentOf(row: ManifestRow): Manifest {
  return parseManifest(decodeBase64url(row.envelope.split('.')[1] ?? ''))
}

export function findingsOf(row: Pick<ManifestRow, 'findings'>): Finding[] {
  return JSON.parse(row.findings) as Finding[]
}
