import { decodeBase64url, parseManifest, type Digest, type Manifest } from 'countersign/core'
import type { Change } from 'countersign/change'
import type { Finding } from 'countersign/gates'
import { LedgerRefusal } from '../log/errors.js'
import type { ManifestRow, Store } from '../storage/store.js'
import { readBase, type BaseReads } from './base.js'
import { compareOnce, type Side } from './comparison.js'
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
  const base = (await readBase(reads, manifest.server))?.manifest
  const before = base === undefined ? undefined : await readSide(reads, base)
  if (base === undefined || before === undefined) return { class: 'first', changes: [], more: 0 }
  return { ...compareOnce(before, { digest, document: () => manifest }, findings), base }
}

/** A manifest that is at hand is not read again: what a digest names never changes. */
async function readSide(reads: Reads, digest: Digest): Promise<Side | undefined> {
  const known = parsed.get(digest)
  if (known !== undefined) return { digest, document: () => known }
  const row = await reads.readManifest(digest)
  return row === undefined ? undefined : { digest, document: () => documentOf(row) }
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

/** The latest manifests that were read, by digest: the base of a busy server is compared with again and again. */
const parsed = new Map<Digest, Manifest>()
const MAX_PARSED = 64
const MAX_KEPT_CHARACTERS = 128 * 1024

/** The manifest in an envelope that was verified before it was stored. It is shared: nobody changes it. */
export function documentOf({ manifest: digest, envelope }: ManifestRow): Manifest {
  const known = parsed.get(digest)
  if (known !== undefined) return known
  const manifest = parseManifest(decodeBase64url(envelope.split('.')[1] ?? ''))
  if (envelope.length > MAX_KEPT_CHARACTERS) return manifest
  parsed.set(digest, manifest)
  const [oldest] = parsed.keys()
  if (parsed.size > MAX_PARSED && oldest !== undefined) parsed.delete(oldest)
  return manifest
}

export function findingsOf(row: Pick<ManifestRow, 'findings'>): Finding[] {
  return JSON.parse(row.findings) as Finding[]
}
