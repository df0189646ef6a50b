import {
  CountersignError,
  decodeBase64url,
  formatManifest,
  isDigest,
  manifestDigest,
  parseManifest,
  type Digest,
  type Manifest,
} from '../core/index.js'
import { openBundle } from '../verify.js'
import type { ReviewPorts } from './types.js'

type ContentPorts = Pick<ReviewPorts, 'memory' | 'api' | 'identity'>

/**
 * Keeps what a manifest says, for the day on which another one is compared with it. A cache, found by its digest; what a
 * registry published is kept there already, in its bundle. Nothing is written where it is there.
 */
export async function keepManifest(
  { memory, identity }: ContentPorts,
  digest: string,
  manifest: Manifest,
): Promise<void> {
  const name = nameOf('manifest', digest)
  if ((await memory.readBlob(identity, name)) !== undefined) return
  await memory.writeBlob(identity, name, formatManifest(manifest))
}

/**
 * What a manifest of this digest says: it may be revoked or expired, or never have been signed by anybody, for nothing is
 * decided by it but how far another one differs. Undefined when nobody has it.
 */
export async function readManifest(ports: ContentPorts, digest: string): Promise<Manifest | undefined> {
  const { memory, identity } = ports
  // A slot can have been spoken for by a server of which nothing ever went on.
  if (!isDigest(digest)) return undefined
  const kept = await memory.readBlob(identity, nameOf('manifest', digest))
  const bundle = await memory.readBlob(identity, nameOf('bundle', digest))
  return (
    openContent(kept, digest) ??
    openContent(payloadOf(bundle), digest) ??
    openContent(payloadOf(await fetchQuietly(ports, digest)), digest)
  )
}

function nameOf(what: string, digest: string): string {
  return `${what}-${digest.replace(/^sha256:/, '')}`
}

/** Whatever it is, it is what the digest names or it is nothing. */
function openContent(payload: Uint8Array | undefined, digest: string): Manifest | undefined {
  if (payload === undefined || manifestDigest(payload) !== digest) return undefined
  return quietly(() => parseManifest(payload))
}

function payloadOf(bundle: Uint8Array | undefined): Uint8Array | undefined {
  if (bundle === undefined) return undefined
  return quietly(() => decodeBase64url(openBundle(bundle).bundle.envelope.split('.')[1] ?? ''))
}

function quietly<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    if (error instanceof CountersignError) return undefined
    throw error
  }
}

/** A registry that has it no more, or does not answer, leaves nothing to compare with: that is said, not hidden. */
async function fetchQuietly({ api }: ContentPorts, digest: string): Promise<Uint8Array | undefined> {
  try {
    return await api.fetchBundle(digest as Digest)
  } catch (error) {
    if (error instanceof CountersignError) return undefined
    throw error
  }
}
