import { compareManifests, compareTools, type Finding } from 'countersign/change'
import { inspectManifest } from 'countersign/gates'
import { describe, expect, it } from 'vitest'
import { manifest, tool } from './manifest.js'

const finding = (pointer: string, severity: Finding['severity'] = 'medium'): Finding => ({
  rule: 'text-x',
  severity,
  held: true,
  refuse: false,
  pointer,
  message: '',
})
const before = { name: 'a', description: 'Old.', inputSchema: { type: 'object', properties: { p: {} } } }
const after = { ...before, description: 'New.' }

describe('a finding', () => {
  it.each([
    ['at the text', '/description'],
    ['at what holds it', ''],
  ])('%s makes its change dangerous', (_, pointer) => {
    expect(compareTools(before, after, [finding(pointer)])).toMatchObject({
      class: 'dangerous',
      changes: [{ kind: 'text', class: 'dangerous', pointer: '/description' }],
    })
  })

  it('inside what is new makes it dangerous', () => {
    const wider = {
      ...before,
      inputSchema: { type: 'object', properties: { p: {}, q: { description: 'x' } } },
    }
    expect(compareTools(before, wider, [finding('/inputSchema/properties/q/description')]).class).toBe(
      'dangerous',
    )
  })

  it.each([
    ['elsewhere', finding('/inputSchema/properties/p')],
    ['of a name that begins alike', finding('/descriptionOf')],
    ['of low weight', finding('/description', 'low')],
  ])('%s leaves the change as it is', (_, one) => {
    expect(compareTools(before, after, [one]).class).toBe('text')
  })

  it('makes nothing worse that narrows, means the same, or is gone', () => {
    const all = [finding('')]
    expect(
      compareTools(before, { ...before, inputSchema: { type: 'object', properties: {} } }, all).class,
    ).toBe('narrowed')
    expect(compareTools(before, { ...before, execution: {} }, all).class).toBe('none')
    expect(compareTools(before, before, all).class).toBe('none')
  })
})

// A3, A13: the rules of the registry and the comparison together, with the honest twin.
describe('an update whose new text the rules hold', () => {
  const of = (description: string) =>
    manifest({
      tools: [
        tool('a', {
          inputSchema: { type: 'object', properties: { note: { type: 'string', description } } },
        }),
      ],
    })
  const compare = (description: string) => {
    const next = of(description)
    return compareManifests(of('A note.'), next, inspectManifest(next, { knownServers: [] })).class
  }

  it('is dangerous', () => {
    const name = of('A note.')
    const hidden = manifest({ tools: [tool('a', { title: 'A\u202eb' })] })
    expect(compareManifests(name, hidden, inspectManifest(hidden, { knownServers: [] })).class).toBe(
      'dangerous',
    )
    expect(compare('A note. '.repeat(6000))).toBe('dangerous')
  })

  it('is a text when they find nothing', () => {
    expect(compare('A note about the message.')).toBe('text')
  })
})
