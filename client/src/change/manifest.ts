import {
  manifestItems,
  type ItemKind,
  type JsonObject,
  type JsonValue,
  type Manifest,
} from '../core/index.js'
import { compareAbout, compareExpiry, compareIdentity } from './about.js'
import { compareLaunch, comparePackages } from './artifacts.js'
import { compareItem, isSameItem, type Located } from './items.js'
import type { Book, Ledger } from './ledger.js'
import { noteNovelties, type Part } from './novelties.js'
import { placeAt } from './places.js'
import { compareAuthorization, compareRemotes } from './remotes.js'
import type { Work } from './work.js'

/** Everything of two manifests, in this order: who speaks, what runs, the items, and what must never appear unseen. */
export function compareWhole(before: Manifest, after: Manifest, book: Book, work: Work): void {
  const server = book.of('server')
  compareIdentity(before, after, server)
  compareAbout(before, after, server)
  comparePackages(before, after, server)
  compareLaunch(before, after, server)
  compareRemotes(before, after, server)
  compareAuthorization(before, after, server)
  compareExpiry(before, after, server)
  compareMode(before, after, server)
  const unchanged = compareItems(before, after, book, work)
  noteNovelties(() => partsOf(before, book), partsOf(after, book, unchanged))
}

/** Resources that nobody signed may appear, or no longer. */
function compareMode({ resources: a }: Manifest, { resources: b }: Manifest, { note }: Ledger): void {
  const [old, now] = [a?.mode ?? 'listed', b?.mode ?? 'listed']
  const place = placeAt(b !== undefined, b === undefined ? ['resources'] : ['resources', 'mode'])
  const words = { text: `the resources are ${now} now`, before: old, after: now }
  if (old !== now) note('resources-mode', now === 'dynamic' ? 'widened' : 'narrowed', place, () => words)
}

/** Returns the labels of the items that are what they were: nothing in them is new. */
function compareItems(before: Manifest, after: Manifest, book: Book, work: Work): ReadonlySet<string> {
  const unchanged = new Set<string>()
  const old = new Map(locate(before).map((one) => [labelOf(one), one]))
  const scopes = new Set(before.tools.flatMap(({ permissions }) => permissions.map(({ scope }) => scope)))
  for (const item of locate(after)) {
    const label = labelOf(item)
    const twin = old.get(label)
    old.delete(label)
    if (twin === undefined) noteAdded(item, scopes, book.of(label))
    else if (isSameItem(twin, item)) unchanged.add(label)
    else compareItem(twin, item, { ledger: book.of(label), work })
  }
  for (const [label, { path, kind }] of old) {
    book
      .of(label)
      .note('item-removed', 'narrowed', placeAt(false, path), () => ({ text: `the ${kind} is gone` }))
  }
  return unchanged
}

/** A new item widens; one that demands a scope nobody had to grant before is dangerous. */
function noteAdded({ kind, item, path }: Located, known: ReadonlySet<string>, { note }: Ledger): void {
  note('item-added', 'widened', placeAt(true, path), () => ({
    text: `the ${kind} is new`,
    after: descriptionOf(item.definition),
  }))
  const permissions = 'permissions' in item ? item.permissions : []
  for (const [at, { scope, required }] of permissions.entries()) {
    if (!required || known.has(scope)) continue
    note('scope-added', 'dangerous', placeAt(true, [...path, 'permissions', at]), () => ({
      text: 'a scope is new and required',
      after: scope,
    }))
  }
}

function descriptionOf(definition: JsonObject): JsonValue {
  return definition['description'] ?? definition['text'] ?? definition['title'] ?? ''
}

function labelOf({ kind, name }: Located): string {
  return kind === 'instructions' ? kind : `${kind} ${name}`
}

/** Items with the way to each; in the order of `manifestItems`, in which each kind has a list of its own. */
function locate(manifest: Manifest): Located[] {
  const counts = new Map<ItemKind, number>()
  return manifestItems(manifest).map(({ kind, name, item }) => {
    const at = counts.get(kind) ?? 0
    counts.set(kind, at + 1)
    return { kind, name, item, path: [...WAYS[kind], ...(kind === 'instructions' ? [] : [at])] }
  })
}

const WAYS: Readonly<Record<ItemKind, readonly string[]>> = {
  instructions: ['instructions'],
  tool: ['tools'],
  prompt: ['prompts'],
  template: ['resourceTemplates'],
  resource: ['resources', 'items'],
}

const ITEM_LISTS: ReadonlySet<string> = new Set(Object.values(WAYS).map(([first]) => first ?? ''))

/** The manifest in parts, so that what appears is told of the item in which it stands; without the items `but`. */
function* partsOf(manifest: Manifest, book: Book, but?: ReadonlySet<string>): Generator<Part> {
  const rest = Object.entries(manifest).filter(([member]) => !ITEM_LISTS.has(member))
  const server = book.of('server')
  for (const [member, value] of rest)
    yield { key: member, path: [member], value: value as JsonValue, ledger: server }
  for (const located of locate(manifest)) {
    const label = labelOf(located)
    if (but?.has(label) === true) continue
    yield {
      key: label,
      path: located.path,
      value: located.item as unknown as JsonValue,
      ledger: book.of(label),
    }
  }
}
