import { CHANGE_KINDS, compareTools } from 'countersign/change'
import { describe, expect, it } from 'vitest'
import { CASES } from './cases.js'

describe('compareTools', () => {
  it.each(CASES)('$name: $class', ({ class: level, kinds, before, after }) => {
    const comparison = compareTools(before, after)
    expect(comparison).toMatchObject({ class: level, more: 0 })
    expect(comparison.changes.map(({ kind }) => kind).sort()).toEqual([...kinds].sort())
  })

  it('no two cases have one name', () => {
    expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length)
  })
})

describe('a change', () => {
  const schema = (properties: object) => ({ name: 't', inputSchema: { type: 'object', properties } })

  it('points into the new document, and for what is gone into the old one', () => {
    const [before, after] = [schema({ 'a/b': {}, c: {} }), schema({ c: {}, 'd~e': {} })]
    expect(compareTools(before, after).changes.map(({ kind, pointer }) => [kind, pointer])).toEqual([
      ['parameter-added', '/inputSchema/properties/d~0e'],
      ['parameter-removed', '/inputSchema/properties/a~1b'],
    ])
  })

  it('behind a reference points at what is written', () => {
    const of = (description: string) => ({
      name: 't',
      inputSchema: {
        type: 'object',
        properties: { p: { $ref: '#/$defs/x' } },
        $defs: { x: { type: 'array', items: { description } } },
      },
    })
    expect(compareTools(of('a'), of('b')).changes).toMatchObject([
      { pointer: '/inputSchema/$defs/x/items/description', before: 'a', after: 'b' },
    ])
  })

  it('is printable, bounded, and cut around the difference', () => {
    const long = 'x'.repeat(5000)
    const { changes } = compareTools(
      { name: 't', description: `${long}old\u202e${long}`, inputSchema: {} },
      { name: 't', description: `${long}new\u202e\u001b[2J${long}`, inputSchema: {} },
    )
    const [change] = changes.filter(({ kind }) => kind === 'text')
    expect(change?.before).toContain('old\\u{202E}')
    expect(change?.after).toContain('new\\u{202E}\\u{001B}[2J')
    for (const { before = '', after = '', text } of changes) {
      expect(Math.max(before.length, after.length, text.length)).toBeLessThan(1200)
      expect(`${before}${after}${text}`).not.toMatch(/[\u202e\u001b]/)
    }
  })

  it('names hostile parameters safely', () => {
    const [change] = compareTools(schema({}), schema({ 'a\u200bb\u001b[2J': {} })).changes.filter(
      ({ kind }) => kind === 'parameter-added',
    )
    expect(change?.text).toContain('a\\u{200B}b\\u{001B}[2J')
  })

  it('is of a closed list of kinds, each of them in use', () => {
    expect(new Set(CHANGE_KINDS).size).toBe(CHANGE_KINDS.length)
    for (const { before, after } of CASES) {
      for (const { kind } of compareTools(before, after).changes) expect(CHANGE_KINDS).toContain(kind)
    }
  })

  it('comes from covered members and own values only', () => {
    const before = { name: 't', inputSchema: { type: 'object' } }
    expect(compareTools(before, { ...before, id: 7, toJSON: undefined }).changes).toEqual([])
    expect(() => compareTools(before, [])).toThrow(expect.objectContaining({ code: 'malformed-tool' }))
    const cyclic: Record<string, unknown> = { name: 't' }
    cyclic['inputSchema'] = cyclic
    expect(() => compareTools(before, cyclic)).toThrow(expect.objectContaining({ code: 'json-too-deep' }))
  })

  it('__proto__ is a parameter like any other', () => {
    const after = JSON.parse(
      '{"name":"t","inputSchema":{"type":"object","properties":{"__proto__":{}}}}',
    ) as object
    expect(compareTools(schema({}), after).changes).toMatchObject([
      { kind: 'parameter-added', pointer: '/inputSchema/properties/__proto__' },
    ])
  })
})
