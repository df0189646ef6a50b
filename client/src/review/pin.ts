import {
  canonicalize,
  checkManifest,
  CountersignError,
  formatManifest,
  MANIFEST_FORMAT,
  manifestItems,
  MAX_MANIFEST_BYTES,
  parseManifest,
  parseStrictJson,
  refuse,
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
/** A pin has no versions; its digest tells it apart. */
export const PIN_VERSION = '1.0.0'

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

/** The lists that a server can be held to each by itself; instructions come with the tools. */
export const PIN_PARTS = ['tool', 'prompt', 'template'] as const

export type PinPart = (typeof PIN_PARTS)[number]

/** Which part of a pin an item belongs to. */
export function partOf(kind: ItemKind): PinPart {
  return kind === 'prompt' || kind === 'template' ? kind : 'tool'
}

/**
 * Writes down what a server shows now, of the parts that were asked for, and signs it with the host key. Items that could
 * not be in any manifest are left out, and so are withheld from now on.
 */
export function makePin(slot: string, live: LiveList, parts: readonly PinPart[], signer: Signer): Pin {
  const items = live.items.filter((item) => isPinnable(slot, item))
  return signPin(slot, draftPin(slot, items, parts), signer)
}

/**
 * Signs what a server is held to from now on.
 * @throws CountersignError `limit-exceeded` for more than any manifest holds
 */
export function signPin(slot: string, manifest: Manifest, signer: Signer): Pin {
  const payload = formatManifest(manifest)
  if (payload.length > MAX_MANIFEST_BYTES) refuse('limit-exceeded', 'no manifest holds as much as this')
  const envelope = signEnvelope('countersign-manifest+json', payload, signer)
  return openPin(slot, envelope, signer)
}

/** The pin with these items in the place of what they were; what is not named stays. */
export function mergePin(
  slot: string,
  { manifest }: Pin,
  items: readonly LiveItem[],
  parts: readonly PinPart[] = [],
): Manifest {
  const named = new Set(items.map(({ kind, name }) => `${kind} ${name}`))
  const kept = pinnedItems(manifest).filter(({ kind, name }) => !named.has(`${kind} ${name}`))
  return draftPin(slot, [...kept, ...items], [...partsOf(manifest), ...parts])
}

/** What a server shows, as a local manifest; undefined when it is more than one holds. */
export function draftLive(slot: string, live: LiveList, parts: readonly PinPart[]): Manifest | undefined {
  const manifest = draftPin(
    slot,
    live.items.filter((item) => isPinnable(slot, item)),
    parts,
  )
  return formatManifest(manifest).length <= MAX_MANIFEST_BYTES ? manifest : undefined
}

/** One part of a local manifest as a manifest of its own: questions about one list do not depend on the others. */
export function partOfPin(slot: string, manifest: Manifest, part: PinPart): Manifest {
  const items = pinnedItems(manifest).filter(({ kind }) => partOf(kind) === part)
  return draftPin(slot, items, [part])
}

/** The parts that were shown when it was made; those of a server that shows a list later begin then. */
export function partsOf({ prompts, resourceTemplates }: Manifest): readonly PinPart[] {
  return [
    'tool',
    ...(prompts ? ['prompt' as const] : []),
    ...(resourceTemplates ? ['template' as const] : []),
  ]
}

function pinnedItems(manifest: Manifest): LiveItem[] {
  return manifestItems(manifest).map(({ kind, name, item }) => ({
    kind,
    name,
    text: canonicalize(item.definition),
  }))
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

function draftPin(slot: string, items: readonly LiveItem[], parts: readonly PinPart[]): Manifest {
  const of = (kind: ItemKind): JsonValue[] =>
    items.filter((item) => item.kind === kind).map((item) => parseStrictJson(item.text))
  const [instructions] = of('instructions')
  const server = pinName(slot)
  const draft = {
    format: MANIFEST_FORMAT,
    registry: LOCAL_REGISTRY,
    server,
    version: PIN_VERSION,
    role: 'voucher',
    subject: { server },
    tools: of('tool').map((definition) => ({ definition, permissions: [] })),
    ...(parts.includes('prompt') && { prompts: of('prompt').map((definition) => ({ definition })) }),
    ...(parts.includes('template') && {
      resourceTemplates: of('template').map((definition) => ({ definition })),
    }),
    ...(instructions !== undefined && { instructions: { definition: instructions } }),
  }
  return checkManifest(draft)
}

/** Whether a manifest could hold the item at all; asked more than once of each item of a review. */
export function isPinnable(slot: string, item: LiveItem): boolean {
  const known = pinnable.get(item)
  if (known !== undefined) return known
  const can = canPin(slot, item)
  pinnable.set(item, can)
  return can
}

const pinnable = new WeakMap<LiveItem, boolean>()

function canPin(slot: string, item: LiveItem): boolean {
  try {
    draftPin(slot, [item], PIN_PARTS)
    return true
  } catch (error) {
    if (error instanceof CountersignError) return false
    throw error
  }
}
