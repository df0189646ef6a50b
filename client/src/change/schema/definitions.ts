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
  const areLabels = sayNothing(
    present.filter(({ key, isUsed }) => isUsed && !old.has(key)).map(({ name }) => name),
    before,
  )
  for (const { key, name, schema, place, isUsed } of present) {
    const twin = old.get(key)
    old.delete(key)
    if (isUsed && (twin !== undefined || (areLabels && isLabel(name)))) continue
    if (twin === undefined) {
      const text = isUsed
        ? 'the names of definitions say something new'
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
/** Of all new names together, and of words that the schema did not have: more of them could be a sentence. */
const MAX_NEW_WORDS = 3
/** What generators call definitions. */
const USUAL =
  /^(?:schema|def|type|ref|object|input|output|item|request|response|option|param|enum|list|value)s?$/

function sayNothing(names: readonly string[], before: SchemaDoc): boolean {
  if (names.length === 0) return true
  const known = new Set(
    JSON.stringify(before.root)
      .toLowerCase()
      .match(/[a-z]+/g),
  )
  const words = new Set(names.flatMap(wordsOf).map((word) => word.toLowerCase()))
  const unknown = [...words].filter((word) => /[a-z]{2}/.test(word) && !known.has(word) && !USUAL.test(word))
  return unknown.length <= MAX_NEW_WORDS
}

function wordsOf(name: string): readonly string[] {
  return name.match(/[A-Z]?[a-z]+|[A-Z]+|\d+/g) ?? []
}

/** A short name of a few words is the author's label; any other is read like a text. */
function isLabel(name: string): boolean {
  return name.length <= MAX_NAME && /^[A-Za-z0-9_.$-]+$/.test(name) && wordsOf(name).length <= MAX_WORDS
}
