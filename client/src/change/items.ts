import {
  canonicalize,
  coveredText,
  type ItemKind,
  type ManifestItem,
  type ManifestTool,
  type Slot,
  type Variant,
} from '../core/index.js'
import type { Path } from '../gates/walk.js'
import { compareForms, type Form } from './form.js'
import type { Ledger } from './ledger.js'
import { placeAt } from './places.js'
import { comparePermissions } from './permissions.js'
import type { Work } from './work.js'

/** An item of a manifest, by kind and name, and the way to it. */
export interface Located {
  readonly kind: ItemKind
  readonly name: string
  readonly item: ManifestItem | ManifestTool
  readonly path: Readonly<Path>
}

export interface ItemContext {
  readonly ledger: Ledger
  readonly work: Work
}

/** One item before and after that {@link isSameItem} tells apart: each form with its namesake, and what a tool may do. */
export function compareItem(before: Located, after: Located, context: ItemContext): void {
  const [a, b] = [formsOf(before), formsOf(after)]
  compareForms(after.kind, a.base, b.base, context)
  compareVariants(after.kind, a, b, context)
  if ('permissions' in before.item && 'permissions' in after.item) {
    comparePermissions(
      before.item.permissions,
      after.item.permissions,
      [...after.path, 'permissions'],
      context.ledger,
    )
  }
}

/** Whether everything of two items is the same, wherever they stand. */
export function isSameItem(before: Located, after: Located): boolean {
  return fingerprint(before) === fingerprint(after)
}

/** Everything of the item as text. The texts of definitions are kept from when the manifest was checked. */
function fingerprint({ kind, item }: Located): string {
  const forms = [item, ...(item.variants ?? [])].map((form) => coveredText(kind, form.definition))
  const rest = {
    ...item,
    definition: null,
    variants: (item.variants ?? []).map(({ when, slots }) => ({ when, slots: slots ?? [] })),
  }
  return [...forms, canonicalize(rest)].join('\n')
}

interface Forms {
  readonly base: Form
  readonly variants: ReadonlyMap<string, Form>
}

function formsOf({ item, path }: Located): Forms {
  const variants = new Map<string, Form>()
  for (const [i, variant] of (item.variants ?? []).entries()) {
    variants.set(nameOf(variant, variants), formOf(variant, [...path, 'variants', i]))
  }
  return { base: formOf(item, path), variants }
}

function formOf(
  form: { readonly definition: Form['definition']; readonly slots?: readonly Slot[] },
  path: Readonly<Path>,
): Form {
  return { definition: form.definition, slots: form.slots ?? [], path: [...path, 'definition'] }
}

/** When a variant holds. Two of the same are told apart by their order. */
function nameOf({ when }: Variant, taken: ReadonlyMap<string, unknown>): string {
  const name = canonicalize(when)
  let times = 0
  while (taken.has(`${times} ${name}`)) times += 1
  return `${times} ${name}`
}

/**
 * A variant is compared with the one of the same condition; one that is new with the definition that held there until
 * now, and one that is gone with the definition that holds there now: where it was live, that is the change.
 */
function compareVariants(kind: ItemKind, a: Forms, b: Forms, context: ItemContext): void {
  for (const [name, form] of b.variants) {
    const twin = a.variants.get(name)
    if (twin === undefined) {
      context.ledger.note('variant-added', 'widened', placeAt(true, form.path.slice(0, -1)), () => ({
        text: `another definition holds where ${name.slice(2)}`,
      }))
    }
    compareForms(kind, twin ?? a.base, form, context)
  }
  for (const [name, form] of a.variants) {
    if (b.variants.has(name)) continue
    context.ledger.note('variant-removed', 'narrowed', placeAt(false, form.path.slice(0, -1)), () => ({
      text: `no other definition holds where ${name.slice(2)}`,
    }))
    compareForms(kind, form, b.base, context)
  }
}
