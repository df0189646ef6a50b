import {
  canonicalize,
  coveredText,
  digestOfText,
  manifestItems,
  replaceAt,
  slotMarker,
  withoutDialect,
  type Digest,
  type ItemKind,
  type JsonObject,
  type Manifest,
  type ManifestItem,
  type Slot,
  type When,
} from '../core/index.js'

/** One signed definition of an item: the base one or a variant, with what it takes to compare a live one by text. */
export interface SignedForm {
  readonly definition: JsonObject
  readonly slots: readonly Slot[]
  /** The canonical text that the digest covers. */
  readonly text: string
  /** SHA-256 of `text`. */
  readonly digest: Digest
  /** Canonical text of `when`; absent for the base definition. */
  readonly variant?: string
  /** What {@link withoutDialect} leaves of the definition, slots as markers, as text. */
  readonly plainText: string
}

/** An item of a signed manifest. */
export interface SignedItem {
  readonly kind: ItemKind
  readonly name: string
  readonly forms: readonly SignedForm[]
}

/** The items of a manifest by kind and name. Built once for each manifest; reviews only look up and compare. */
export type ItemSet = Readonly<Record<ItemKind, ReadonlyMap<string, SignedItem>>>

/** Digests every definition of a manifest. */
export function indexItems(manifest: Manifest): ItemSet {
  const set: Record<ItemKind, Map<string, SignedItem>> = {
    tool: new Map(),
    instructions: new Map(),
    prompt: new Map(),
    template: new Map(),
    resource: new Map(),
  }
  for (const { kind, name, item } of manifestItems(manifest)) {
    set[kind].set(name, { kind, name, forms: signedForms(kind, item) })
  }
  return set
}

/** Every signed digest of a kind, with the item's name. */
export function* signedDigests(
  items: ItemSet,
  kind: ItemKind,
): Generator<readonly [name: string, digest: Digest]> {
  for (const item of items[kind].values()) for (const form of item.forms) yield [item.name, form.digest]
}

function signedForms(kind: ItemKind, item: ManifestItem): SignedForm[] {
  const base = signedForm(kind, item.definition, item.slots)
  return [base, ...(item.variants ?? []).map((v) => signedForm(kind, v.definition, v.slots, v.when))]
}

function signedForm(
  kind: ItemKind,
  definition: JsonObject,
  slots: readonly Slot[] = [],
  when?: When,
): SignedForm {
  const text = coveredText(kind, definition, slots)
  let digest: Digest | undefined
  let plain: string | undefined
  return {
    definition,
    slots,
    text,
    ...(when && { variant: canonicalize(when) }),
    // Most reviews compare texts and never hash; what is asked for once is kept.
    get digest() {
      return (digest ??= digestOfText(text))
    },
    get plainText() {
      return (plain ??= canonicalize(withoutDialect(withMarkers(definition, slots))))
    },
  }
}

/** The definition with each slot replaced by its marker: the form that is digested. */
export function withMarkers(definition: JsonObject, slots: readonly Slot[]): JsonObject {
  return slots.reduce((whole, slot) => replaceAt(whole, slot.pointer, slotMarker(slot)), definition)
}
