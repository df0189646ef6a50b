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
      { patternProperties: Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`^p${i}`, {}])) },
      'size',
    ],
    ['one that is too large', { description: 'x'.repeat(140_000) }, 'size'],
  ])('%s', (_, schema, reason) => {
    expect(reasonOf(schema)).toBe(reason)
  })
})

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
