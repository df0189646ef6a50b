import { decodeBase64url, parseManifest, type Digest, type Manifest } from 'countersign/core'

export interface DocumentLimits {
  readonly count: number
  /** Of all their envelopes together: what a manifest takes in memory is some multiple of that. */
  readonly characters: number
}

/** Manifests that were parsed lately, by digest: what a digest names never changes. They are shared: nobody changes one. */
export interface Documents {
  get(digest: Digest): Manifest | undefined
  keep(digest: Digest, manifest: Manifest, characters: number): void
}

interface Kept {
  readonly manifest: Manifest
  readonly characters: number
}

/** The base of a busy server is compared with again and again; what was not asked for longest goes first. */
export function openDocuments(limits: DocumentLimits): Documents {
  const kept = new Map<Digest, Kept>()
  let all = 0
  const drop = (digest: Digest): void => {
    all -= kept.get(digest)?.characters ?? 0
    kept.delete(digest)
  }
  const put = (digest: Digest, one: Kept): void => {
    drop(digest)
    kept.set(digest, one)
    all += one.characters
  }
  return {
    get(digest) {
      const one = kept.get(digest)
      if (one !== undefined) put(digest, one)
      return one?.manifest
    },
    keep(digest, manifest, characters) {
      if (characters > limits.characters) return
      put(digest, { manifest, characters })
      for (const oldest of kept.keys()) {
        if (kept.size <= limits.count && all <= limits.characters) return
        drop(oldest)
      }
    },
  }
}

/** The manifest in an envelope that was verified before it was stored. */
export function readDocument(envelope: string): Manifest {
  return parseManifest(decodeBase64url(envelope.split('.')[1] ?? ''))
}
