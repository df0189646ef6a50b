import { isJsonObject, type JsonObject } from '../core/index.js'
import type { Review, ReviewedItem } from '../review.js'

/** What a call needs of a tool as it was signed. */
export interface ToolFacts {
  readonly name: string
  /** The signed schemas as JSON texts. */
  readonly input: string | undefined
  readonly output: string | undefined
  /** OAuth scopes that the manifest says it does not work without. */
  readonly scopes: readonly string[]
}

const known = new WeakMap<Review, Map<string, ToolFacts>>()

/** Read once for each review; a call only looks them up. */
export function toolFacts(item: ReviewedItem, review: Review): ToolFacts {
  const read = known.get(review) ?? new Map<string, ToolFacts>()
  known.set(review, read)
  const facts = read.get(item.name) ?? readFacts(item, review)
  read.set(item.name, facts)
  return facts
}

function readFacts({ name, signed }: ReviewedItem, { manifest }: Review): ToolFacts {
  const definition = JSON.parse(signed) as JsonObject
  const tool = manifest?.manifest.tools.find((one) => one.definition['name'] === name)
  const scopes = (tool?.permissions ?? []).filter((one) => one.required).map((one) => one.scope)
  return {
    name,
    input: schemaText(definition['inputSchema']),
    output: schemaText(definition['outputSchema']),
    scopes,
  }
}

function schemaText(schema: unknown): string | undefined {
  return isJsonObject(schema) ? JSON.stringify(schema) : undefined
}
