import type { ChangeClass } from '../change/class.js'
import type { Change, Comparison } from '../change/types.js'
import { reactionTo } from '../consent/reaction.js'
import {
  canonicalize,
  manifestItems,
  type Digest,
  type ItemKind,
  type Manifest,
  type ManifestItem,
} from '../core/index.js'
import { excerpt } from '../gates/finding.js'
import type { HostPolicy } from '../host-policy.js'
import type { ServerMemory } from '../memory.js'
import type { Compared } from './compared.js'
import { seenVariants } from './known.js'

/** What of a version waits for a person. */
export interface HeldBack {
  /** Something changed that belongs to no item: nothing of the version goes on. */
  readonly all: boolean
  /** Something changed that no live list shows: whom it is from, what runs, what it may do. */
  readonly unseen: boolean
  /** Of the items of the manifest that wait, as comparisons name them. */
  readonly labels: ReadonlySet<string>
  /** Whether an item waits, whose live definition has this digest. */
  readonly isHeld: (kind: ItemKind, name: string, digest: Digest) => boolean
}

/** As comparisons name an item: bounded, so two very long names may be one, and then both wait. */
export function labelOf(kind: ItemKind, name: string): string {
  return excerpt(kind === 'instructions' ? kind : `${kind} ${name}`)
}

/** Rights are no part of a definition: that is the same to the byte when they change. */
const RIGHTS: ReadonlySet<string> = new Set([
  'scope-added',
  'scope-removed',
  'scope-required',
  'scope-optional',
])

/**
 * Which items of the new version a person has to agree to: those with a change that the policy asks for, and new ones.
 * An item whose live definition was in use already goes on, unless what it may do is another; a variant that was signed
 * but never live here was in use by nobody.
 */
export function heldBack(
  compared: Compared,
  after: Manifest,
  remembered: ServerMemory,
  policy: HostPolicy,
): HeldBack {
  const { comparison, before, items } = compared
  if (before === undefined || items === undefined) {
    return { all: true, unseen: true, labels: new Set(), isHeld: () => true }
  }
  const asked = comparison.changes.filter((one) => reactionTo(one.class, policy) === 'consent')
  const missing = mayMiss(comparison, policy)
  const rights = new Set(asked.filter((one) => RIGHTS.has(one.kind)).map((one) => one.item))
  const labels = new Set(asked.map((one) => one.item))
  if (missing) for (const label of differing(before, after)) labels.add(label)
  const wasUsed = (kind: ItemKind, name: string, digest: Digest): boolean => {
    const seen = seenVariants(remembered, `${kind} ${name}`) ?? ['']
    const forms = items[kind].get(name)?.forms ?? []
    const known = forms.length > 1 ? forms.filter(({ variant = '' }) => seen.includes(variant)) : forms
    return known.some((form) => form.digest === digest)
  }
  const all = labels.has('server') || isCrowded(comparison, 'dangerous')
  return {
    all,
    unseen: all || rights.size > 0,
    labels,
    isHeld: (kind, name, digest) => {
      const label = labelOf(kind, name)
      if (!labels.has(label)) return false
      return rights.has(label) || missing || !wasUsed(kind, name, digest)
    },
  }
}

/** As many as a comparison lists of one class, and more there are. */
const MAX_OF_A_CLASS = 100
const MAX_LISTED = 300

function isCrowded({ changes, more }: Comparison, change: ChangeClass): boolean {
  return more > 0 && countOf(changes, change) >= MAX_OF_A_CLASS
}

function countOf(changes: readonly Change[], change: ChangeClass): number {
  return changes.filter((one) => one.class === change).length
}

/** Whether a change that wants consent may be among those that are not listed: then whatever differs waits. */
function mayMiss(comparison: Comparison, policy: HostPolicy): boolean {
  const { changes, more } = comparison
  if (more === 0) return false
  if (changes.length >= MAX_LISTED) return true
  return changes.some(({ class: one }) => reactionTo(one, policy) === 'consent' && isCrowded(comparison, one))
}

/** Items that are new or not the same in every respect. */
function differing(before: Manifest, after: Manifest): string[] {
  const textOf = (item: ManifestItem): string => canonicalize(item)
  const old = new Map(manifestItems(before).map(({ kind, name, item }) => [`${kind} ${name}`, textOf(item)]))
  return manifestItems(after)
    .filter(({ kind, name, item }) => old.get(`${kind} ${name}`) !== textOf(item))
    .map(({ kind, name }) => labelOf(kind, name))
}
