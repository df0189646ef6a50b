import { isJsonObject } from '../../core/index.js'
import { named } from '../ledger.js'
import type { SchemaPair } from './pair.js'
import type { SchemaDoc } from './view.js'

/**
 * Definitions that something refers to are compared where they apply, so that hoisting them changes nothing. What is
 * left are their names, and definitions that apply to nothing: a model reads both.
 */
export function compareDefinitions(
  before: SchemaDoc,
  after: SchemaDoc,
  { ledger, ids, push }: Pick<SchemaPair, 'ledger' | 'ids' | 'push'>,
): void {
  const old = new Map(before.definitions().map((one) => [one.key, one]))
  const present = after.definitions()
  for (const { key, name, schema, place, isUsed } of present) {
    const twin = old.get(key)
    old.delete(key)
    if (isUsed && (twin !== undefined || isLabel(name))) continue
    if (twin === undefined) {
      const text = isUsed
        ? 'a definition has a name of many words'
        : 'a definition that nothing refers to is new'
      ledger.note('definition', 'text', place, () => ({ text, after: name }))
    } else if (isJsonObject(schema) && isJsonObject(twin.schema)) {
      push(before.view(twin.schema, twin.place), after.view(schema, place))
    } else if (ids.idOf(schema) !== ids.idOf(twin.schema)) {
      ledger.note('definition', 'widened', place, () => ({
        text: `the definition ${named(name)} is another one`,
        before: twin.schema,
        after: schema,
      }))
    }
  }
  for (const { isUsed, name, place } of old.values()) {
    const text = 'a definition that nothing referred to is gone'
    if (!isUsed) ledger.note('definition', 'text', place, () => ({ text, before: name }))
  }
}

const MAX_NAME = 40
const MAX_WORDS = 5

/** A short name of a few words is the author's label; any other is read like a text. */
function isLabel(name: string): boolean {
  const words = name.match(/[A-Z]?[a-z]+|[A-Z]+|\d+/g) ?? []
  return name.length <= MAX_NAME && /^[A-Za-z0-9_.$-]+$/.test(name) && words.length <= MAX_WORDS
}
