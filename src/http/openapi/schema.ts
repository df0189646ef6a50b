import { z } from 'zod'
import type { JsonSchema } from './types.js'

/** The schemas that validate, as JSON Schema: those with a name once, under `components`. */
export interface Schemas {
  of(schema: z.ZodType): JsonSchema
  named(): Readonly<Record<string, JsonSchema>>
}

const AT = '#/components/schemas/'

export function openSchemas(): Schemas {
  const named = new Map<string, JsonSchema>()
  return {
    of(schema) {
      const { schema: found, defs } = convert(schema)
      for (const [name, def] of Object.entries(defs)) keep(named, name, def)
      return found
    },
    named: () => Object.fromEntries([...named].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }
}

/** What callers write and read; inside a member, since only there a name becomes a reference. */
function convert(schema: z.ZodType): { schema: JsonSchema; defs: Readonly<Record<string, JsonSchema>> } {
  const whole = z.toJSONSchema(z.object({ it: schema }), { io: 'input' })
  const { properties, $defs = {} } = relocate(whole) as {
    properties: { it: JsonSchema }
    $defs?: Record<string, JsonSchema>
  }
  const defs = Object.entries($defs).map(([name, def]) => [name, without(def, 'id')] as const)
  return { schema: properties.it, defs: Object.fromEntries(defs) }
}

function without(def: JsonSchema, member: string): JsonSchema {
  return Object.fromEntries(Object.entries(def).filter(([name]) => name !== member))
}

/** References point into the document that the schema becomes part of. */
function relocate(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(relocate)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, member]) => {
    const isRef = name === '$ref' && typeof member === 'string'
    return [name, isRef ? member.replace('#/$defs/', AT) : relocate(member)]
  })
  return Object.fromEntries(entries) as unknown
}

function keep(named: Map<string, JsonSchema>, name: string, def: JsonSchema): void {
  const known = named.get(name)
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(def)) {
    throw new Error(`two schemas are called ${name}`)
  }
  named.set(name, def)
}
