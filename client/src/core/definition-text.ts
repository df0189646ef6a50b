import { canonicalize } from './canonical-json.js'
import type { JsonObject } from './strict-json.js'

/** Canonical texts of definitions that a manifest was checked with: they are measured there and digested later. */
const texts = new WeakMap<JsonObject, string>()

/** The canonical text of a definition that is checked now and digested afterwards. */
export function keepDefinitionText(definition: JsonObject): string {
  const text = canonicalize(definition)
  texts.set(definition, text)
  return text
}

/** The text of a definition that {@link keepDefinitionText} saw: the same object, parsed by us and changed by nobody. */
export function definitionText(definition: object): string | undefined {
  return texts.get(definition as JsonObject)
}
