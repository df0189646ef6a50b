import {
  coveredText,
  fillSlot,
  manifestItems,
  readPointer,
  withoutDialect,
  canonicalize,
  replaceAt,
  type Facts,
  type ItemKind,
  type JsonObject,
  type Manifest,
  type ManifestItem,
  type Slot,
} from '../core/index.js'
import type { Capture } from './capture.js'
import { itemLabel } from './compare.js'
import { machineFacts } from '../node/facts.js'

export interface SurfaceChange {
  readonly item: string
  readonly what: 'added' | 'removed' | 'changed'
}

/**
 * What a capture shows that a manifest does not say, item by item: for a publisher's own release check.
 * Slots are matched with this machine's facts; dialect noise of another SDK release does not count (PROTOCOL 3).
 */
export function compareWithManifest(capture: Capture, manifest: Manifest, cwd?: string): SurfaceChange[] {
  const facts = machineFacts(cwd)
  const signed = new Map(
    manifestItems(manifest).map(({ kind, name, item }) => [
      itemLabel({ kind, name: kind === 'instructions' ? '' : name }),
      { kind, item },
    ]),
  )
  const changes: SurfaceChange[] = []
  for (const live of capture.surface.items) {
    const label = itemLabel(live)
    const known = signed.get(label)
    signed.delete(label)
    if (known === undefined) changes.push({ item: label, what: 'added' })
    else if (!matches(known.kind, known.item, live.definition, facts))
      changes.push({ item: label, what: 'changed' })
  }
  for (const label of signed.keys()) changes.push({ item: label, what: 'removed' })
  return changes
}

function matches(kind: ItemKind, item: ManifestItem, live: JsonObject, facts: Facts): boolean {
  const forms = [item, ...(item.variants ?? [])]
  return forms.some((form) => isSame(kind, form.definition, form.slots ?? [], live, facts))
}

function isSame(
  kind: ItemKind,
  signed: JsonObject,
  slots: readonly Slot[],
  live: JsonObject,
  facts: Facts,
): boolean {
  let plain = live
  for (const slot of slots) {
    const value = readPointer(live, slot.pointer)
    if (fillSlot(slot, value, facts) === undefined) return false
    plain = replaceAt(plain, slot.pointer, readPointer(signed, slot.pointer))
  }
  if (coveredText(kind, plain) === coveredText(kind, signed)) return true
  return kind === 'tool' && canonicalize(withoutDialect(plain)) === canonicalize(withoutDialect(signed))
}
