import { canonicalize } from './canonical-json.js'
import { definitionText } from './definition-text.js'
import { digestOfText, type Digest } from './lexical.js'
import { refuse } from './errors.js'
import { isJsonObject, type JsonObject } from './strict-json.js'
import { readPointer, replaceAt, slotMarker, type Slot } from './slot.js'

/** What a model can see of a server, piece by piece. Pins are per item, never per list (PROTOCOL 3). */
export type ItemKind = 'tool' | 'instructions' | 'prompt' | 'template' | 'resource'

/** The members a digest covers, for each kind. Absent members are absent, never null. */
export const COVERED_MEMBERS: Readonly<Record<ItemKind, readonly string[]>> = {
  tool: [
    'name',
    'title',
    'description',
    'inputSchema',
    'outputSchema',
    'annotations',
    'icons',
    '_meta',
    'execution',
  ],
  instructions: ['text'],
  prompt: ['name', 'title', 'description', 'arguments', 'icons', '_meta'],
  template: ['uriTemplate', 'name', 'title', 'description', 'mimeType', 'annotations', 'icons', '_meta'],
  resource: ['uri', 'name', 'title', 'description', 'mimeType', 'annotations', 'icons', 'size', '_meta'],
}

/**
 * The covered members of an item as the transport delivered it: own members only, in a prototype-free copy.
 * Other top-level members are not part of the definition and never reach a host.
 * @throws CountersignError `malformed-tool` when the item is no object
 */
export function coveredItem(kind: ItemKind, item: unknown): JsonObject {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    refuse('malformed-tool', `a ${kind} is an object`)
  }
  const covered = Object.create(null) as JsonObject
  for (const member of COVERED_MEMBERS[kind]) {
    const value = Object.hasOwn(item, member) ? (item as JsonObject)[member] : undefined
    if (value !== undefined) covered[member] = value
  }
  return covered
}

/**
 * The canonical text whose SHA-256 is the item's digest: JCS of the covered members, each slot replaced by its marker.
 * @throws CountersignError `malformed-tool`, or a `json-…` code of the canonical form
 */
export function coveredText(kind: ItemKind, item: unknown, slots: readonly Slot[] = []): string {
  // A checked definition has covered members only, so its own text is the covered one.
  const checked =
    slots.length === 0 && typeof item === 'object' && item !== null ? definitionText(item) : undefined
  if (checked !== undefined) return checked
  let covered = coveredItem(kind, item)
  for (const slot of slots) covered = replaceAt(covered, slot.pointer, slotMarker(slot))
  return canonicalize(covered)
}

/** SHA-256 of `coveredText` (PROTOCOL 3). */
export function itemDigest(kind: ItemKind, item: unknown, slots?: readonly Slot[]): Digest {
  return digestOfText(coveredText(kind, item, slots))
}

/**
 * The tool digest: SHA-256(JCS(covered members)) (PROTOCOL 3).
 * @example
 * toolDigest({ name: 'add', inputSchema: { type: 'object' } })
 */
export function toolDigest(tool: unknown, slots?: readonly Slot[]): Digest {
  return itemDigest('tool', tool, slots)
}

/**
 * A tool without what another SDK release underneath writes or leaves out by itself (PROTOCOL 3, dialect noise):
 * `execution` at its default, `$schema`, and `additionalProperties: false`, the last two at a schema's root only.
 * Two listings of one manifest's tool that are equal after this are one definition; between manifests nothing is.
 */
export function withoutDialect(tool: JsonObject): JsonObject {
  const plain = Object.create(null) as JsonObject
  for (const key of Object.keys(tool)) {
    const value = tool[key]
    if (value === undefined || (key === 'execution' && isDefaultExecution(value))) continue
    plain[key] =
      (key === 'inputSchema' || key === 'outputSchema') && isPlainObject(value) ? rootOf(value) : value
  }
  return plain
}

function isDefaultExecution(value: unknown): boolean {
  if (!isPlainObject(value)) return false
  const keys = Object.keys(value)
  return keys.length === 0 || (keys.length === 1 && value['taskSupport'] === 'forbidden')
}

function rootOf(schema: JsonObject): JsonObject {
  const root = Object.create(null) as JsonObject
  for (const key of Object.keys(schema)) {
    const value = schema[key]
    if (value === undefined || key === '$schema' || (key === 'additionalProperties' && value === false))
      continue
    root[key] = value
  }
  return root
}

function isPlainObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a member named `$slot` stands anywhere in the value: it would imitate a marker. `text` is its JCS. */
export function hasSlotMember(value: unknown, text?: string): boolean {
  if (text?.includes('"$slot":') === false) return false
  if (Array.isArray(value)) return value.some((one) => hasSlotMember(one))
  if (!isJsonObject(value)) return false
  return Object.keys(value).some((key) => key === '$slot' || hasSlotMember(value[key]))
}

/** The value a slot points at in a definition. */
export function slotValue(definition: unknown, slot: Slot): unknown {
  return readPointer(definition, slot.pointer)
}
