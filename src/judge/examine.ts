import {
  decodeKeyX,
  envelopeDigest,
  itemDigests,
  manifestDigest,
  manifestItems,
  parseManifest,
  verifyEnvelope,
  type Digest,
  type Manifest,
} from 'countersign/core'
import { inspectManifest, type Finding } from 'countersign/gates'
import { lookupKeys } from './lookups.js'

/** What a manifest says of itself, without what models read. */
export type Claims = Pick<
  Manifest,
  'registry' | 'server' | 'version' | 'role' | 'title' | 'description' | 'expires'
> & { readonly subject?: { readonly server: string } }

/** What is said of an envelope whose signature holds. It is small, however large the manifest is. */
export interface Examined {
  readonly claims: Claims
  readonly manifestDigest: Digest
  readonly envelopeDigest: Digest
  readonly toolDigests: readonly { readonly name: string; readonly digest: Digest }[]
  readonly lookups: readonly string[]
  /** Of the gates, measured against no other server's name. */
  readonly findings: readonly Finding[]
}

/**
 * Verifies what arrived with this key, and only then parses it and looks at it through the gates. Throws
 * CountersignError as `verifyEnvelope` and `parseManifest` do.
 */
export function examineEnvelope(
  envelope: string,
  publicKey: string,
): { readonly examined: Examined; readonly manifest: Manifest } {
  const payload = verifyEnvelope(envelope, 'countersign-manifest+json', decodeKeyX(publicKey))
  const manifest = parseManifest(payload)
  const examined = {
    claims: claimsOf(manifest),
    manifestDigest: manifestDigest(payload),
    envelopeDigest: envelopeDigest(envelope),
    toolDigests: toolDigests(manifest),
    lookups: lookupKeys(manifest),
    findings: inspectManifest(manifest, { knownServers: [] }),
  }
  return { examined, manifest }
}

function claimsOf(manifest: Manifest): Claims {
  const { registry, server, version, role, subject, title, description, expires } = manifest
  return {
    ...{ registry, server, version, role },
    ...(subject?.server !== undefined && { subject: { server: subject.server } }),
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    ...(expires !== undefined && { expires }),
  }
}

function toolDigests(manifest: Manifest): Examined['toolDigests'] {
  const tools = manifestItems(manifest).filter((item) => item.kind === 'tool')
  return tools.flatMap(({ name, item }) => itemDigests('tool', item).map((digest) => ({ name, digest })))
}
