import { canonicalize, type JsonValue } from '../core/index.js'
import type { Surface, SurfaceItem } from './surface.js'

/** One way in which two listings of the same server were not the same. */
export interface Difference {
  readonly item: string
  /** RFC 6901 pointer into the item; absent when the whole item came or went. */
  readonly pointer?: string
  readonly what: 'appeared' | 'vanished' | 'text' | 'number' | 'structure'
}

export interface LeafDifference extends Difference {
  readonly pointer: string
}

/** How items are named in reports: `tool read_file`, `instructions`. */
export function itemLabel(item: { readonly kind: string; readonly name: string }): string {
  return item.name === '' ? item.kind : `${item.kind} ${item.name}`
}

/** Everything that differs between two captures; order of items and of members does not count. */
export function compareSurfaces(first: Surface, second: Surface): Difference[] {
  const after = new Map(second.items.map((item) => [itemLabel(item), item]))
  const before = new Set(first.items.map(itemLabel))
  const differences: Difference[] = []
  for (const item of first.items) {
    const twin = after.get(itemLabel(item))
    if (twin === undefined) differences.push({ item: itemLabel(item), what: 'vanished' })
    else differences.push(...compareItems(item, twin))
  }
  for (const label of after.keys())
    if (!before.has(label)) differences.push({ item: label, what: 'appeared' })
  return differences
}

/** The pointers at which two definitions of one item differ, each as deep as it goes. */
export function compareItems(first: SurfaceItem, second: SurfaceItem): LeafDifference[] {
  const found: LeafDifference[] = []
  walk(first.definition, second.definition, '', (pointer, what) =>
    found.push({ item: itemLabel(first), pointer, what }),
  )
  return found
}

type Report = (pointer: string, what: 'text' | 'number' | 'structure') => void

function walk(a: JsonValue | undefined, b: JsonValue | undefined, pointer: string, report: Report): void {
  if (a === b) return
  if (typeof a === 'string' && typeof b === 'string') {
    report(pointer, 'text')
    return
  }
  if (typeof a === 'number' && typeof b === 'number') {
    report(pointer, 'number')
    return
  }
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) {
    for (const [i, value] of a.entries()) walk(value, b[i], `${pointer}/${i}`, report)
    return
  }
  if (isPlain(a) && isPlain(b) && sameMembers(a, b)) {
    for (const key of Object.keys(a)) walk(a[key], b[key], `${pointer}/${escapeToken(key)}`, report)
    return
  }
  if (a === undefined || b === undefined || canonicalize(a) !== canonicalize(b)) report(pointer, 'structure')
}

function isPlain(value: JsonValue | undefined): value is Record<string, JsonValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sameMembers(a: Record<string, JsonValue>, b: Record<string, JsonValue>): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key))
}

/** One token of an RFC 6901 pointer. */
export function escapeToken(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
