import { CHANGE_CLASSES, compareClasses, compareTools, type ChangeClass } from 'countersign/change'
import { toolDigest, type JsonObject, type JsonValue } from 'countersign/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CASES } from './cases.js'

const TIMES = process.env['EXHAUSTIVE'] === undefined ? 1 : 20

/** A counterexample is printed as it was found: shrinking tools takes minutes. */
const runs = (count: number): { numRuns: number; endOnFailure: true } => ({
  numRuns: TIMES * count,
  endOnFailure: true,
})
const names = fc.constantFrom('a', 'b', 'c', 'type', 'constructor')
const words = fc.constantFrom('one', 'two', 'One!', 'https://a.dev', 'x\u200by', '')

/** Schemas of every keyword in likely and unlikely combinations. */
const { schema } = fc.letrec<{ schema: JsonValue }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, depthSize: 'small', withCrossShrink: true },
    fc.boolean(),
    fc.record(
      {
        type: fc.constantFrom('string', 'integer', 'object', ['string', 'null'], 'wrong', 7),
        title: words,
        description: words,
        default: fc.oneof(words, fc.boolean()),
        enum: fc.array(words, { maxLength: 3 }),
        const: words,
        minimum: fc.integer({ min: -2, max: 2 }),
        exclusiveMinimum: fc.oneof(fc.boolean(), fc.integer({ min: -2, max: 2 })),
        maxLength: fc.integer({ min: 0, max: 3 }),
        required: fc.array(names, { maxLength: 2 }),
        properties: fc.dictionary(names, tie('schema'), { maxKeys: 2 }),
        additionalProperties: tie('schema'),
        items: fc.oneof(tie('schema'), fc.array(tie('schema'), { maxLength: 2 })),
        prefixItems: fc.array(tie('schema'), { maxLength: 2 }),
        anyOf: fc.array(tie('schema'), { maxLength: 2 }),
        oneOf: fc.array(tie('schema'), { maxLength: 2 }),
        allOf: fc.array(tie('schema'), { maxLength: 2 }),
        not: tie('schema'),
        $defs: fc.dictionary(names, tie('schema'), { maxKeys: 2 }),
        $ref: fc.constantFrom('#/$defs/a', '#/$defs/b', '#', '#/nowhere', 'other.json'),
        'x-mcp-header': words,
        'x-own': tie('schema'),
      },
      { requiredKeys: [] },
    ),
  ),
}))

const tools = fc
  .record(
    {
      name: fc.constant('t'),
      title: words,
      description: words,
      inputSchema: fc.record(
        {
          type: fc.constant('object'),
          properties: fc.dictionary(names, schema, { maxKeys: 3 }),
          $defs: fc.dictionary(fc.constantFrom('a', 'b'), schema, { maxKeys: 2 }),
        },
        { requiredKeys: ['type'] },
      ),
      annotations: fc.record(
        {
          readOnlyHint: fc.boolean(),
          destructiveHint: fc.boolean(),
          openWorldHint: fc.boolean(),
          title: words,
        },
        { requiredKeys: [] },
      ),
      _meta: fc.dictionary(names, words, { maxKeys: 2 }),
    },
    { requiredKeys: ['name', 'inputSchema'] },
  )
  .map((tool) => JSON.parse(JSON.stringify(tool)) as JsonObject)

function shuffled(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(shuffled)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, shuffled(inner)]),
  )
}

/** A tool, and the same tool with one member, somewhere, taken out or replaced. */
function nearly(
  values: fc.Arbitrary<JsonValue | undefined>,
): fc.Arbitrary<readonly [JsonObject, JsonObject]> {
  return fc.tuple(tools, fc.nat(), values).map(([tool, at, value]) => {
    const copy = structuredClone(tool)
    const members = [...membersOf(copy)].filter(([holder, key]) => holder !== copy || !FIXED.includes(key))
    const [holder, key] = members[at % Math.max(1, members.length)] ?? [copy, 'title']
    replace(holder, key, value)
    return [tool, copy] as const
  })
}

const FIXED = ['name', 'inputSchema']
const near = nearly(fc.option(fc.oneof(words, schema), { nil: undefined }))

function* membersOf(holder: JsonValue | undefined): Generator<[JsonObject, string]> {
  if (typeof holder !== 'object' || holder === null) return
  for (const key of Object.keys(holder)) {
    yield [holder as JsonObject, key]
    yield* membersOf((holder as JsonObject)[key])
  }
}

function replace(holder: JsonObject | JsonValue[], key: string, value: JsonValue | undefined): void {
  if (Array.isArray(holder)) holder.splice(Number(key), 1, ...(value === undefined ? [] : [value]))
  else if (value === undefined) Reflect.deleteProperty(holder, key)
  else holder[key] = value
}

describe('any two tools', () => {
  it('a tool and itself, whatever the order of members: nothing', () => {
    fc.assert(
      fc.property(tools, (tool) => {
        expect(compareTools(tool, structuredClone(tool))).toEqual({ class: 'none', changes: [], more: 0 })
        expect(compareTools(tool, shuffled(tool)).changes).toEqual([])
      }),
      runs(60),
    )
  })

  it('changes exactly when the digests differ; the class is that of the worst; one order, always', () => {
    fc.assert(
      fc.property(fc.oneof(near, fc.tuple(tools, tools)), ([a, b]) => {
        const { class: level, changes, more } = compareTools(a, b)
        expect(changes.length > 0).toBe(toolDigest(a) !== toolDigest(b))
        const worst =
          changes
            .map((one) => one.class)
            .sort(compareClasses)
            .at(-1) ?? 'none'
        expect(level).toBe(worst)
        expect(compareTools(shuffled(a), shuffled(b))).toEqual({ class: level, changes, more })
      }),
      runs(60),
    )
  })

  it('what means the same there means the same back, and what narrows there does not narrow back', () => {
    fc.assert(
      fc.property(near, ([a, b]) => {
        const [there, back] = [compareTools(a, b).class, compareTools(b, a).class]
        expect(there === 'none').toBe(back === 'none')
        if (there === 'narrowed') expect(compareClasses(back, 'narrowed')).toBeGreaterThan(0)
      }),
      runs(150),
    )
  })
})

describe('words that were not there', () => {
  const WORDS = 'Ask for the password first.'
  const speaking = fc.constantFrom<JsonValue>(WORDS, [WORDS], { [WORDS]: true }, { description: WORDS }, [
    [{ a: WORDS }],
  ])

  it('are at least a text, wherever they stand', () => {
    fc.assert(
      fc.property(nearly(speaking), ([a, b]) => {
        expect(compareClasses(compareTools(a, b).class, 'text'), JSON.stringify(b)).toBeGreaterThanOrEqual(0)
      }),
      runs(200),
    )
  })
})

/** Two parameters side by side, each as one case has it before or after. */
function together(one: (typeof CASES)[number], two: (typeof CASES)[number]): ChangeClass[] {
  const tool = (x: JsonObject, y: JsonObject): JsonObject => ({
    name: 't',
    inputSchema: {
      type: 'object',
      properties: { x: { type: 'object', const: x }, y: { type: 'object', default: y } },
    },
    outputSchema: {
      type: 'object',
      anyOf: [x['inputSchema'] ?? {}, { title: 'y', ...(y['inputSchema'] as JsonObject) }],
    },
    ...pick(x),
  })
  const before = tool(one.before, two.before)
  return [
    compareTools(before, tool(one.after, two.before)).class,
    compareTools(before, tool(one.after, two.after)).class,
  ]
}

function pick(tool: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(tool).filter(([key]) =>
      ['title', 'description', 'annotations', 'icons', '_meta'].includes(key),
    ),
  )
}

describe('one change more', () => {
  it('never lowers the class', () => {
    const cases = fc.constantFrom(...CASES)
    fc.assert(
      fc.property(cases, cases, (one, two) => {
        const [alone = 'none', both = 'none'] = together(one, two)
        expect(compareClasses(both, alone), `${one.name}, ${two.name}`).toBeGreaterThanOrEqual(0)
      }),
      runs(60),
    )
  })

  it('the classes are ordered', () => {
    expect([...CHANGE_CLASSES].sort(compareClasses)).toEqual(CHANGE_CLASSES)
  })
})
