import {
  checkManifest,
  CountersignError,
  formatManifest,
  MANIFEST_FORMAT,
  parseManifest,
  parseStrictJson,
  sha256,
  signEnvelope,
  toHex,
  utf8Bytes,
  verifyEnvelope,
  type ItemKind,
  type JsonValue,
  type Manifest,
  type Signer,
} from '../core/index.js'
import { indexItems, type ItemSet } from '../verify/items.js'
import type { LiveItem, LiveList } from './live.js'
import { atStep } from '../verdict.js'

/** The registry of manifests this host signed for itself. No root has this identity's log: it proves nothing elsewhere. */
export const LOCAL_REGISTRY = 'local'

/** A local manifest: what a server nobody signed showed the first time (PROTOCOL 13). */
export interface Pin {
  readonly envelope: string
  readonly manifest: Manifest
  readonly items: ItemSet
}

/** The name a slot's pin has: stable, and never a name anybody can publish. */
export function pinName(slot: string): string {
  return `internal.pin/${toHex(sha256(utf8Bytes(slot))).slice(0, 40)}`
}

/**
 * Writes down what a server shows now and signs it with the host key. Items that could not be in any manifest are left
 * out, and so are withheld from now on.
 */
export function makePin(slot: string, live: LiveList, signer: Signer): Pin {
  const manifest = draftPin(
    slot,
    live.items.filter((item) => isPinnable(slot, item)),
  )
  const envelope = signEnvelope('countersign-manifest+json', formatManifest(manifest), signer)
  return openPin(slot, envelope, signer)
}

/**
 * Opens a pin as strictly as any manifest.
 * @throws CountersignError `signature-invalid` when this host did not sign it for this slot
 */
export function openPin(slot: string, envelope: string, signer: Signer): Pin {
  return atStep(6, 'signature-invalid', () => {
    const manifest = parseManifest(verifyEnvelope(envelope, 'countersign-manifest+json', signer.publicKey))
    if (manifest.registry !== LOCAL_REGISTRY || manifest.server !== pinName(slot)) {
      throw new CountersignError('signature-invalid', 'the pin is of another slot')
    }
    return { envelope, manifest, items: indexItems(manifest) }
  })
}

function draftPin(slot: string, items: readonly LiveItem[]): Manifest {
  const of = (kind: ItemKind): JsonValue[] =>
    items.filter((item) => item.kind === kind).map((item) => parseStrictJson(item.text))
  const [instructions] = of('instructions')
  const server = pinName(slot)
  const draft = {
    format: MANIFEST_FORMAT,
    registry: LOCAL_REGISTRY,
    server,
    version: '1.0.0',
    role: 'voucher',
    subject: { server },
    tools: of('tool').map((definition) => ({ definition, permissions: [] })),
    prompts: of('prompt').map((definition) => ({ definition })),
    resourceTemplates: of('template').map((definition) => ({ definition })),
    ...(instructions !== undefined && { instructions: { definition: instructions } }),
  }
  return checkManifest(draft)
}

function isPinnable(slot: string, item: LiveItem): boolean {
  try {
    draftPin(slot, [item])
    return true
  } catch (error) {
    if (error instanceof CountersignError) return false
    throw error
  }
}
