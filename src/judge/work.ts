import { compareManifests, type Comparison } from 'countersign/change'
import type { Digest, Manifest } from 'countersign/core'
import type { Finding } from 'countersign/gates'
import { openDocuments, readDocument } from './documents.js'
import { examineEnvelope, type Examined } from './examine.js'

/** A manifest by its digest, with its envelope where it may not be known any more. */
export interface Named {
  readonly digest: Digest
  readonly envelope?: string
}

/** What is to be done, in plain data. */
export type Task =
  | { readonly kind: 'examine'; readonly envelope: string; readonly publicKey: string }
  | {
      readonly kind: 'compare'
      readonly before: Named
      readonly after: Named
      readonly findings: readonly Finding[]
    }

export type Value =
  | { readonly kind: 'examined'; readonly examined: Examined }
  | { readonly kind: 'compared'; readonly comparison: Comparison }
  /** A manifest is not known here: the task comes again with the envelopes. */
  | { readonly kind: 'missing' }

export type Work = (task: Task) => Value

/** Two of the largest envelopes fit: a manifest is there when it is compared, and its base is as well. */
const KEPT = { count: 64, characters: 16 * 1024 * 1024 }

/** Does tasks, one after the other, and remembers the manifests that it met. Throws CountersignError for a refusal. */
export function openWork(): Work {
  const documents = openDocuments(KEPT)
  const find = ({ digest, envelope }: Named): Manifest | undefined => {
    const known = documents.get(digest)
    if (known !== undefined || envelope === undefined) return known
    const manifest = readDocument(envelope)
    documents.keep(digest, manifest, envelope.length)
    return manifest
  }
  return (task) => {
    if (task.kind === 'examine') {
      const { examined, manifest } = examineEnvelope(task.envelope, task.publicKey)
      documents.keep(examined.manifestDigest, manifest, task.envelope.length)
      return { kind: 'examined', examined }
    }
    const [before, after] = [find(task.before), find(task.after)]
    if (before === undefined || after === undefined) return { kind: 'missing' }
    return { kind: 'compared', comparison: compareManifests(before, after, task.findings) }
  }
}
