import { describe, expect, it } from 'vitest'
import { BENIGN_TOOLS, benignNames } from '../support/benign.js'
import { connectGuarded, POISON, WIRES, verdicts } from '../support/guarded.js'
import { hostileServer, rawResult } from '../support/hostile.js'
import { signedWorld } from './world.js'

const world = signedWorld()

const honest = JSON.stringify(BENIGN_TOOLS)
/** The list as bytes, a member more in the properties of one tool: no object literal can say `__proto__`. */
const withMember = (member: string): string => {
  const text = honest.replace(
    '"properties":{"city":',
    `"properties":{"${member}":{"description":"${POISON}"},"city":`,
  )
  if (text === honest) throw new Error('nothing was changed')
  return text
}

describe('A11 members that every object seems to have', () => {
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'toJSON', '__defineGetter__'])(
    'a parameter %s is definition-changed',
    async (member) => {
      const tools = JSON.parse(withMember(member)) as unknown[]
      expect(await verdicts(await world().host(), tools)).toMatchObject({
        get_forecast: 'definition-changed',
        now: 'verified',
      })
    },
  )

  it.each(WIRES)('on the wire they do not arrive (%s)', async (wire) => {
    const server = hostileServer({ 'tools/list': [[rawResult(`{"tools":${withMember('__proto__')}}`)]] })
    const guarded = await connectGuarded(wire, server, await world().host())
    expect(await guarded.toolNames()).not.toContain('get_forecast')
    expect(guarded.heard()).not.toContain(POISON)
  })

  it.each(WIRES)('a tool with such a name is not found on any prototype (%s)', async (wire) => {
    const server = hostileServer({ 'tools/list': [[rawResult(`{"tools":${honest}}`)]] })
    const guarded = await connectGuarded(wire, server, await world().host())
    for (const name of ['__proto__', 'constructor', 'toString']) expect(await guarded.call(name)).toBe(-32602)
    expect(server.called()).toEqual([])
  })

  it.each(WIRES)(
    'twin: an honest parameter called constructor passes and can be called (%s)',
    async (wire) => {
      const server = hostileServer({ 'tools/list': [[rawResult(`{"tools":${honest}}`)]] })
      const guarded = await connectGuarded(wire, server, await world().host())
      expect(await guarded.toolNames()).toEqual(benignNames())
      expect(await guarded.call('make_instance', { constructor: 'Note' })).toBe('done')
    },
  )
})
