import {
  canonicalize,
  coveredItem,
  itemName,
  parseStrictJson,
  type JsonObject,
  type Manifest,
} from '../core/index.js'
import type { Finding } from '../gates/index.js'
import { compareForms } from './form.js'
import { openBook } from './ledger.js'
import { compareWhole } from './manifest.js'
import { noteNovelties } from './novelties.js'
import { placeAt } from './places.js'
import type { Comparison } from './types.js'
import { openWork } from './work.js'

/**
 * What changed between two definitions of a tool, and what each change means (PROTOCOL 12). Looks at the covered
 * members only; two definitions with the same digest have no changes, and two with different digests have at least
 * one. Another name is another tool: one gone, one new.
 *
 * @param findings of the new tool; pointers into it, such as `/description`
 * @throws CountersignError `malformed-tool`, or a `json-…` code, for what is no tool
 * @example
 * const { changes } = compareTools(accepted, offered)
 * const consent = changes.some((change) => CHANGE_TABLE[change.class].personal === 'consent')
 */
export function compareTools(before: unknown, after: unknown, findings: readonly Finding[] = []): Comparison {
  const [a, b] = [plainTool(before), plainTool(after)]
  const book = openBook(findings)
  const [old, now] = [itemName('tool', a), itemName('tool', b)]
  const ledger = book.of(`tool ${now}`)
  if (old === now) {
    const [x, y] = [a, b].map((definition) => ({ definition, slots: [], path: [] }))
    if (x !== undefined && y !== undefined) compareForms('tool', x, y, { ledger, work: openWork() })
  } else {
    book
      .of(`tool ${old}`)
      .note('item-removed', 'narrowed', placeAt(false, []), () => ({ text: 'the tool is gone' }))
    ledger.note('item-added', 'widened', placeAt(true, []), () => ({ text: 'the tool is new' }))
  }
  const part = { key: 'tool', path: [], ledger }
  noteNovelties(() => [{ ...part, value: a }], [{ ...part, value: b }])
  return book.close()
}

/** Plain data of our own: nothing that a hostile object does while it is read is seen twice. */
function plainTool(tool: unknown): JsonObject {
  return parseStrictJson(canonicalize(coveredItem('tool', tool))) as JsonObject
}

/**
 * What changed between two versions of a server, and what each change means (PROTOCOL 12): items, variants, slots,
 * scopes, packages, remotes, launch, and what the server says of itself. The version number itself is no change.
 * The class is that of all changes; at most 300 are listed, the worst first. Time is in proportion to the manifests.
 *
 * @param before the manifest that was accepted or approved last, as `parseManifest` returned it
 * @param after the one that is to take its place
 * @param findings of the new manifest, as `inspectManifest` returned them: what changed where one of medium weight or
 *   more points is `dangerous`
 * @example
 * const { class: change, changes } = compareManifests(approved, submitted, findings)
 * for (const { text } of changes) console.log(text)
 */
export function compareManifests(
  before: Manifest,
  after: Manifest,
  findings: readonly Finding[] = [],
): Comparison {
  const book = openBook(findings)
  compareWhole(before, after, book, openWork())
  return book.close()
}
