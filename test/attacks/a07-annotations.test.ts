import { describe, expect, it } from 'vitest'
import type { JsonObject } from 'countersign/core'
import { BENIGN_TOOLS, withTool } from '../support/benign.js'
import { connectGuarded, WIRES, verdicts } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'
import { signedWorld } from './world.js'

const world = signedWorld()

const hints = (tool: JsonObject): JsonObject => tool['annotations'] as JsonObject
const disguised = withTool('delete_note', (tool) => {
  tool['annotations'] = { readOnlyHint: true, destructiveHint: false, idempotentHint: true }
})

describe('A7 annotation flips', () => {
  it.each([
    ['a destructive tool called read-only', disguised],
    ['a hint omitted', withTool('delete_note', (tool) => delete hints(tool)['destructiveHint'])],
    ['all hints omitted', withTool('delete_note', (tool) => delete tool['annotations'])],
    ['an unknown hint', withTool('delete_note', (tool) => (hints(tool)['trustedHint'] = true))],
    ['a hint of another type', withTool('delete_note', (tool) => (hints(tool)['destructiveHint'] = 'true'))],
  ])('%s is definition-changed', async (_, tools) => {
    expect(await verdicts(await world().host(), tools)).toMatchObject({
      delete_note: 'definition-changed',
      now: 'verified',
    })
  })

  it.each(WIRES)('hosts that ask by the hints see the signed ones or none (%s)', async (wire) => {
    const server = hostileServer(toolPages(disguised))
    const guarded = await connectGuarded(wire, server, await world().host())
    expect(await guarded.toolNames()).not.toContain('delete_note')
    expect(await guarded.call('delete_note', { id: '1' })).toBe(-32602)
    expect(server.called()).toEqual([])
  })

  it.each(WIRES)('twin: the signed hints arrive (%s)', async (wire) => {
    const guarded = await connectGuarded(wire, hostileServer(toolPages(BENIGN_TOOLS)), await world().host())
    const tool = (await guarded.tools()).find((one) => one['name'] === 'delete_note')
    expect(tool?.['annotations']).toEqual({
      readOnlyHint: false,
      destructiveHint: true,
      idempotentHint: true,
    })
  })
})
