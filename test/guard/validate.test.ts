import { describe, expect, it } from 'vitest'
import { openValidator, type SchemaCheck } from '../../client/src/validate/index.js'

const check = (schema: unknown, value: unknown): SchemaCheck =>
  openValidator().check(JSON.stringify(schema), value)
const statusOf = (schema: unknown, value: unknown): string => check(schema, value).status
const reasonOf = (schema: unknown): unknown => {
  const found = check(schema, {})
  return found.status === 'unchecked' ? found.reason : found.status
}

describe('a value against a schema', () => {
  it.each([
    ['a member that is missing', { required: ['city'] }, {}, { city: 'x' }],
    ['a member called as the prototype’s', { required: ['constructor'] }, {}, { constructor: 1 }],
    ['a wrong type', { properties: { n: { type: 'integer' } } }, { n: 1.5 }, { n: 2 }],
    ['an unknown member', { additionalProperties: false, properties: { a: {} } }, { b: 1 }, { a: 1 }],
    ['a pattern', { properties: { a: { pattern: '^[a-z]+\\d{2}$' } } }, { a: 'A1' }, { a: 'ab12' }],
    [
      'a pattern by property',
      { patternProperties: { '^x-': { type: 'string' } } },
      { 'x-a': 1 },
      { 'x-a': 's' },
    ],
    ['a dependency', { dependentRequired: { a: ['b'] } }, { a: 1 }, { a: 1, b: 2 }],
    [
      'what is left unevaluated',
      { allOf: [{ properties: { a: {} } }], unevaluatedProperties: false },
      { b: 1 },
      { a: 1 },
    ],
    [
      'a reference',
      { $defs: { n: { type: 'number' } }, properties: { a: { $ref: '#/$defs/n' } } },
      { a: 'x' },
      { a: 1 },
    ],
    [
      'items that are equal',
      { properties: { a: { uniqueItems: true } } },
      {
        a: [
          { x: 1, y: 2 },
          { y: 2, x: 1 },
        ],
      },
      { a: [1, '1'] },
    ],
  ])('finds %s', (_, schema, wrong, right) => {
    expect(statusOf(schema, wrong)).toBe('invalid')
    expect(statusOf(schema, right)).toBe('valid')
  })

  it.each(['constructor', 'toString', 'hasOwnProperty', '__proto__'])(
    'finds %s unevaluated, whatever the prototype of objects has',
    (name) => {
      const anyOf = [{ properties: { a: { type: 'number' } } }, { properties: { b: { type: 'string' } } }]
      const schema = { anyOf, unevaluatedProperties: false }
      const hostile: unknown = JSON.parse(`{"a":1,"${name}":{}}`)
      expect(check(schema, hostile)).toMatchObject({ faults: [{ keyword: 'unevaluatedProperties' }] })
      expect(statusOf(schema, { a: 1, b: 'x' })).toBe('valid')
      expect(statusOf({ ...schema, properties: { constructor: {} } }, { a: 1, constructor: 2 })).toBe('valid')
    },
  )

  it('holds a member called __proto__ against its schema', () => {
    const schema: unknown = JSON.parse(
      '{"properties":{"__proto__":{"type":"number"}},"additionalProperties":false}',
    )
    expect(statusOf(schema, JSON.parse('{"__proto__":"text"}'))).toBe('invalid')
    expect(statusOf(schema, JSON.parse('{"__proto__":1}'))).toBe('valid')
    const both: unknown = JSON.parse(
      '{"properties":{"__proto__":{"type":"number"}},"patternProperties":{"^__proto__$":{"minimum":2}}}',
    )
    expect(statusOf(both, JSON.parse('{"__proto__":1}'))).toBe('invalid')
    expect(statusOf(both, JSON.parse('{"__proto__":"text"}'))).toBe('invalid')
    expect(statusOf(both, JSON.parse('{"__proto__":2}'))).toBe('valid')
  })

  it.each([
    [0.01, [19.99, 0.07, -4.35, 0, 1e21], [19.995, 0.001]],
    [0.1, [0.3, 1e22], [0.35, 5e-324]],
    [1, [1e21, 1.7976931348623157e308], [1.5]],
    [1e-7, [3e-7, 1], [1.5e-7]],
    [2, [4, 9007199254740992], [3, Infinity]],
  ])('takes multiples of %s as the decimals that they are written as', (multipleOf, right, wrong) => {
    const outcomes = (values: readonly number[]): string[] =>
      values.map((one) => statusOf({ multipleOf }, one))
    expect(outcomes(right)).toEqual(right.map(() => 'valid'))
    expect(outcomes(wrong)).toEqual(wrong.map(() => 'invalid'))
  })

  it('counts the length of a text in code points', () => {
    expect(statusOf({ maxLength: 3 }, '🙂🙂🙂')).toBe('valid')
    expect(statusOf({ maxLength: 2 }, '🙂🙂🙂')).toBe('invalid')
    expect(statusOf({ maxLength: 2 }, 'abc')).toBe('invalid')
    expect(statusOf({ minLength: 3 }, '🙂🙂🙂')).toBe('valid')
    expect(statusOf({ minLength: 4 }, '🙂🙂🙂')).toBe('invalid')
    expect(statusOf({ minLength: 4 }, 'abc')).toBe('invalid')
    expect(statusOf({ maxLength: 0 }, '')).toBe('valid')
  })

  it('lets no keyword of other dialects keep it from checking', () => {
    for (const foreign of [{ nullable: true }, { nullable: false }, { nullable: 'yes' }, { id: 'city' }]) {
      const schema = { properties: { a: { anyOf: [{ type: 'string' }, { type: 'null' }], ...foreign } } }
      expect(statusOf(schema, { a: 1 })).toBe('invalid')
      expect(statusOf(schema, { a: 'x' })).toBe('valid')
    }
    expect(statusOf({ type: ['string', 'null'], nullable: false }, 1)).toBe('invalid')
    // As OpenAPI means it, and as hosts take it.
    expect(statusOf({ type: 'string', nullable: true }, null)).toBe('valid')
    expect(statusOf({ type: 'string', nullable: false }, null)).toBe('invalid')
    const named = { properties: { nullable: { type: 'string' }, id: { type: 'string' } } }
    expect(statusOf(named, { id: 1 })).toBe('invalid')
    expect(statusOf(named, { nullable: 1 })).toBe('invalid')
    expect(statusOf(named, { nullable: 'x', id: 'x' })).toBe('valid')
  })

  it('names the places and never the value', () => {
    const found = check({ properties: { a: { items: { enum: ['x'] } } } }, { a: ['x', 'SECRET'] })
    expect(found).toEqual({
      status: 'invalid',
      faults: [{ valuePath: '/a/1', schemaPath: '#/properties/a/items/enum', keyword: 'enum' }],
    })
    expect(check({ required: ['city'] }, {})).toMatchObject({
      faults: [{ valuePath: '/city', keyword: 'required' }],
    })
  })

  it('reads the dialect that the schema names, and 2020-12 where it names none', () => {
    const draft07 = { $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'string' }] }
    expect(statusOf(draft07, [1])).toBe('invalid')
    expect(statusOf(draft07, ['x'])).toBe('valid')
    const { items: prefixItems } = draft07
    expect(statusOf({ prefixItems }, [1])).toBe('invalid')
    expect(
      statusOf({ $schema: 'https://json-schema.org/draft/2019-09/schema', items: [{ type: 'string' }] }, [1]),
    ).toBe('invalid')
  })

  it('takes formats as annotations', () => {
    expect(statusOf({ format: 'email' }, 'no address')).toBe('valid')
  })

  it('compiles two schemas that call themselves by one name', () => {
    const validator = openValidator()
    const named = (type: string): string => JSON.stringify({ $id: 'https://example.com/same', type })
    expect(validator.check(named('string'), 1).status).toBe('invalid')
    expect(validator.check(named('number'), 1).status).toBe('valid')
    expect(validator.check(named('string'), 1).status).toBe('invalid')
  })
})

describe('a schema that cannot be checked', () => {
  it.each([
    ['a look-ahead', { pattern: '^(?!x)' }, 'pattern'],
    ['a backward reference', { pattern: '(a)\\1' }, 'pattern'],
    ['a dialect nobody knows', { $schema: 'https://example.com/mine' }, 'dialect'],
    ['a dialect that is no text', { $schema: 7 }, 'dialect'],
    ['a reference to the network', { $ref: 'https://example.com/schema.json' }, 'reference'],
    ['a reference to nothing', { $ref: '#/$defs/none' }, 'reference'],
    ['a reference to a meta-schema', { $ref: 'https://json-schema.org/draft/2020-12/schema' }, 'reference'],
    ['a type that is none', { type: 'text' }, 'malformed'],
    ['a list of required that is none', { required: 'a' }, 'malformed'],
    ['one of more parts than are compiled', { anyOf: Array.from({ length: 1501 }, () => ({})) }, 'size'],
    [
      'more patterns than are compiled',
      {
        patternProperties: Object.fromEntries(
          Array.from({ length: 501 }, (_, i) => [`^p${i}`, { minimum: 1 }]),
        ),
      },
      'size',
    ],
    ['a pattern that is large where it is written out', { pattern: 'a{1000}'.repeat(100) }, 'size'],
    [
      'patterns that are together',
      { allOf: Array.from({ length: 100 }, (_, i) => ({ pattern: `[(](?:x{500}|\\(y{500})${i}` })) },
      'size',
    ],
    [
      'what is left unevaluated behind many references to many names',
      {
        $defs: {
          big: { properties: Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`p${i}`, true])) },
        },
        anyOf: Array.from({ length: 700 }, () => ({ $ref: '#/$defs/big' })),
        unevaluatedProperties: false,
      },
      'size',
    ],
    ['a repeated group', { pattern: `(?:[(]${'ab'.repeat(100)}){900}` }, 'size'],
    ['quoting that is none of the dialect', { pattern: '\\Q(\\E' }, 'pattern'],
    ['one that is too large', { description: 'x'.repeat(140_000) }, 'size'],
  ])('%s', (_, schema, reason) => {
    expect(reasonOf(schema)).toBe(reason)
  })
})

const referred = { $ref: '#/$defs/big' }

describe('hostile schemas and values', () => {
  it('a pattern that explodes takes linear time', () => {
    const schema = { pattern: '^(a+)+$' }
    expect(statusOf(schema, `${'a'.repeat(50_000)}!`)).toBe('invalid')
    expect(statusOf(schema, 'a'.repeat(50_000))).toBe('valid')
  })

  it('references that multiply end at the limit, and honest recursion passes', () => {
    const node = (children: object): object => ({ $defs: { node: children }, $ref: '#/$defs/node' })
    const twice = { properties: { a: { allOf: [{ $ref: '#/$defs/node' }, { $ref: '#/$defs/node' }] } } }
    const once = { properties: { a: { $ref: '#/$defs/node' } } }
    const deep = (levels: number): object => (levels === 0 ? {} : { a: deep(levels - 1) })
    expect(check(node(twice), deep(60))).toMatchObject({ status: 'invalid', faults: [{ keyword: 'limit' }] })
    expect(statusOf(node(twice), deep(5))).toBe('valid')
    expect(statusOf(node(once), deep(60))).toBe('valid')
  })

  it('a chain of references that doubles at each link ends at the limit', () => {
    const links = Array.from(
      { length: 40 },
      (_, i) => [`d${i}`, { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] }] as const,
    )
    const $defs = { ...Object.fromEntries(links), d40: {} }
    expect(check({ $defs, $ref: '#/$defs/d0' }, 1)).toMatchObject({ faults: [{ keyword: 'limit' }] })
  })

  it('an endless reference, and a value deeper than the stack, are invalid and no crash', () => {
    expect(statusOf({ $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }, 1)).not.toBe('valid')
    const depth = 200_000
    const deep = JSON.parse(`${'[['.repeat(depth)}${']]'.repeat(depth)}`) as unknown
    expect(statusOf({ $defs: { l: { items: { $ref: '#/$defs/l' } } }, $ref: '#/$defs/l' }, deep)).toBe(
      'invalid',
    )
  })

  it('a schema that is referred to everywhere is compiled once', () => {
    const names = Array.from({ length: 400 }, (_, i) => `p${i}`)
    const every = (one: object): object => Object.fromEntries(names.map((name) => [name, one]))
    const schema = { $defs: { big: { properties: every({ type: 'string' }) } }, properties: every(referred) }
    expect(statusOf(schema, { p1: { p2: 'x' } })).toBe('valid')
    expect(statusOf(schema, { p1: { p2: 3 } })).toBe('invalid')
    const any = { ...schema, anyOf: names.map(() => referred) }
    expect(statusOf(any, { p1: { p2: 'x' } })).toBe('invalid')
    expect(statusOf(any, { p1: { p2: 3 } })).toBe('invalid')
    const few = {
      ...any,
      $defs: { big: { properties: { p1: true } } },
      properties: {},
      unevaluatedProperties: false,
    }
    expect(statusOf(few, { p1: 1 })).toBe('valid')
    expect(statusOf(few, { p2: 1 })).toBe('invalid')
  })

  it('a long text that is measured again and again ends at the limit, and is measured where it is honest', () => {
    const text = `${'🙂'.repeat(1_000_000)}${'a'.repeat(1_000_000)}`
    for (const keyword of ['maxLength', 'minLength']) {
      const often = (times: number): object => ({
        allOf: Array.from({ length: times }, () => ({ [keyword]: 2_000_000 })),
      })
      expect(check(often(1400), text)).toMatchObject({ faults: [{ keyword: 'limit' }] })
      expect(statusOf(often(10), text)).toBe('valid')
    }
  })

  it('many honest patterns of moderate size are compiled', () => {
    const pattern = '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$'
    const schema = { allOf: Array.from({ length: 60 }, (_, i) => ({ pattern: `${pattern}|^${i}$` })) }
    expect(statusOf(schema, 'www.example.com')).toBe('valid')
    expect(statusOf(schema, 'www..example.com')).toBe('invalid')
  })

  it('many items that must be unique are not compared with each other', () => {
    const items = Array.from({ length: 100_000 }, (_, n) => ({ n }))
    expect(statusOf({ uniqueItems: true }, items)).toBe('valid')
    expect(statusOf({ uniqueItems: true }, [...items, { n: 7 }])).toBe('invalid')
  })

  it('cannot make the validator say yes before it looked', () => {
    expect(statusOf({ $async: true, type: 'string' }, 1)).toBe('invalid')
    expect(statusOf({ properties: { a: { $async: true, type: 'string' } } }, { a: 1 })).toBe('invalid')
    expect(statusOf({ properties: { $async: { type: 'string' } } }, { $async: 1 })).toBe('invalid')
  })

  it('that look like code run nothing', () => {
    const evil = '"+(globalThis.owned=1)+"'
    const schema = {
      properties: { [evil]: { const: evil } },
      required: [evil],
      'x": (globalThis.owned = 1)': evil,
    }
    expect(statusOf(schema, { [evil]: evil })).toBe('valid')
    expect(statusOf(schema, {})).toBe('invalid')
    expect('owned' in globalThis).toBe(false)
  })

  it('fill no memory: old schemas are compiled anew', () => {
    const validator = openValidator()
    const schemaOf = (n: number): string => JSON.stringify({ const: n, description: 'x'.repeat(120_000) })
    for (let n = 0; n < 100; n++) expect(validator.check(schemaOf(n), n).status).toBe('valid')
    expect(validator.check(schemaOf(0), 1).status).toBe('invalid')
  })
})
