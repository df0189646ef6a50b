import { keepDefinitionText } from './definition-text.js'
import { COVERED_MEMBERS, hasSlotMember, slotValue, type ItemKind } from './item.js'
import { isToolName } from './name.js'
import { anyObject, list, mismatch, object, optional, record, text, type Check } from './shape.js'
import { parseSlots, slotTemplate, type Slot } from './slot.js'
import type { JsonObject, JsonValue } from './strict-json.js'

/** One definition as JCS text, in UTF-16 units. */
export const MAX_DEFINITION_LENGTH = 256 * 1024
const MAX_VARIANTS = 16
const whenName = /^(?:locale|model|platform|flag:[A-Za-z0-9][A-Za-z0-9._-]{0,63})$/

/** What tells one variant from another: locale, model, platform, or a configuration flag `flag:<name>`. */
export type When = Readonly<Record<string, string>>

export interface Variant {
  readonly when: When
  readonly definition: JsonObject
  readonly slots?: readonly Slot[]
}

export interface ManifestItem {
  readonly definition: JsonObject
  readonly variants?: readonly Variant[]
  readonly slots?: readonly Slot[]
}

/** The definition and the slots of one item or variant: only covered members, template texts at the slots. */
function definitionOf(kind: ItemKind): Check<JsonObject> {
  return (value, where) => {
    const definition = anyObject(value, where)
    for (const key of Object.keys(definition)) {
      if (!COVERED_MEMBERS[kind].includes(key)) mismatch(`${where}/${key}`, `is not a member of a ${kind}`)
    }
    const jcs = keepDefinitionText(definition)
    if (hasSlotMember(definition, jcs)) mismatch(where, 'a member named $slot would imitate a slot')
    if (jcs.length > MAX_DEFINITION_LENGTH) {
      mismatch(where, `is longer than ${MAX_DEFINITION_LENGTH} characters`)
    }
    DEFINITIONS[kind](definition, where)
    return definition
  }
}

const shortText = text(0, 65_536)
const DEFINITIONS: Readonly<Record<ItemKind, (definition: JsonObject, where: string) => void>> = {
  tool: (definition, where) => {
    if (!isToolName(definition['name']))
      mismatch(`${where}/name`, 'a tool name is 1 to 128 of A-Z a-z 0-9 _ . -')
    assertObjectSchema(definition['inputSchema'], `${where}/inputSchema`)
    if (definition['outputSchema'] !== undefined)
      anyObject(definition['outputSchema'], `${where}/outputSchema`)
    if (definition['annotations'] !== undefined) anyObject(definition['annotations'], `${where}/annotations`)
    assertTexts(definition, ['title', 'description'], where, text(0, MAX_DEFINITION_LENGTH))
  },
  instructions: (definition, where) => {
    text(1, 65_536)(definition['text'] ?? null, `${where}/text`)
  },
  prompt: (definition, where) => {
    text(1, 256)(definition['name'] ?? null, `${where}/name`)
    assertTexts(definition, ['title', 'description'], where, shortText)
  },
  template: (definition, where) => {
    text(1, 2048)(definition['uriTemplate'] ?? null, `${where}/uriTemplate`)
    assertTexts(definition, ['name', 'title', 'description', 'mimeType'], where, shortText)
  },
  resource: (definition, where) => {
    text(1, 2048)(definition['uri'] ?? null, `${where}/uri`)
    assertTexts(definition, ['name', 'title', 'description', 'mimeType'], where, shortText)
  },
}

function assertTexts(
  definition: JsonObject,
  names: readonly string[],
  where: string,
  check: Check<string>,
): void {
  for (const name of names) {
    const value = definition[name]
    if (value !== undefined) check(value, `${where}/${name}`)
  }
}

/** MCP demands `type: "object"` at the root; every SDK client refuses the whole list otherwise. */
function assertObjectSchema(schema: JsonValue | undefined, where: string): void {
  if (anyObject(schema ?? null, where)['type'] !== 'object') {
    mismatch(`${where}/type`, 'an input schema says type "object" at its root')
  }
}

function slotsOf(definition: JsonObject): Check<readonly Slot[]> {
  return (value, where) => {
    const slots = parseSlots(value, where)
    for (const slot of slots) {
      if (slot.pointer === '/name' || slotValue(definition, slot) !== slotTemplate(slot)) {
        mismatch(
          `${where} ${slot.pointer}`,
          `the definition carries ${JSON.stringify(slotTemplate(slot))} there`,
        )
      }
    }
    return slots
  }
}

/** The check of one item of a manifest: its definition, variants and slots (PROTOCOL 3). */
export function itemOf(kind: ItemKind): Check<ManifestItem> {
  const shape = object({
    definition: definitionOf(kind),
    variants: optional(variantsOf(kind)),
    slots: optional(anyValue),
  })
  return (value, where) => withSlots(shape(value, where), where)
}

function variantsOf(kind: ItemKind): Check<readonly Variant[]> {
  const shape = object({
    when: record(whenName, text(1, 128), 8),
    definition: definitionOf(kind),
    slots: optional(anyValue),
  })
  return list((value, where) => withSlots(shape(value, where), where), 1, MAX_VARIANTS)
}

const anyValue: Check<JsonValue> = (value) => value

function withSlots<T extends { readonly definition: JsonObject; readonly slots?: JsonValue }>(
  item: T,
  where: string,
) {
  const { slots, ...rest } = item
  return slots === undefined ? rest : { ...rest, slots: slotsOf(item.definition)(slots, `${where}/slots`) }
}

/** What an item is called within its kind: a tool's and prompt's name, a template's and resource's URI. */
export function itemName(kind: ItemKind, definition: JsonObject): string {
  const member = { tool: 'name', prompt: 'name', template: 'uriTemplate', resource: 'uri', instructions: '' }[
    kind
  ]
  const name = kind === 'instructions' ? 'instructions' : definition[member]
  return typeof name === 'string' ? name : ''
}
