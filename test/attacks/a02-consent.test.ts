import { describe, expect, it } from 'vitest'
import { attackWorld } from '../support/attack-world.js'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { POISON, signedTools, WIRES } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'

const others = benignNames().filter((name) => name !== 'get_forecast')
const sendMail = {
  name: 'send_mail',
  description: `Sends mail to ${POISON}.`,
  inputSchema: { type: 'object' },
}
const destructive = withTool('get_forecast', (tool) => (tool['annotations'] = { destructiveHint: true }))
const reworded = withTool('get_forecast', (tool) => (tool['description'] = 'The weather of the next days.'))

describe.each(WIRES)('A2 an approved update that can do more (%s)', (wire) => {
  it.each([
    ['a tool more', [...BENIGN_TOOLS, sendMail], 'send_mail', benignNames(), 'widened'],
    ['a tool that may destroy', destructive, 'get_forecast', others, 'dangerous'],
  ])('%s waits for a person on hosts that remember the old one', async (_, tools, name, passing, grade) => {
    const it = attackWorld()
    const before = await it.connect(wire, hostileServer(toolPages(BENIGN_TOOLS)))
    expect(await before.toolNames()).toEqual(benignNames())
    it.release('1.0.1', { tools: signedTools(tools) })

    const server = hostileServer(toolPages(tools))
    const guarded = await it.connect(wire, server)
    expect(await guarded.toolNames()).toEqual(passing)
    expect(guarded.withheld()).toEqual({ [name]: 'consent-required' })
    expect(await guarded.call(name)).toBe(-32602)
    expect(server.called()).toEqual([])
    expect(guarded.heard()).not.toContain(POISON)

    const host = await it.host()
    const [question] = await host.waiting()
    expect(question).toMatchObject({ reason: 'changed', class: grade, to: { version: '1.0.1' } })
    await host.consent(question?.id ?? '', 'agreed')
    const agreed = await it.connect(wire, hostileServer(toolPages(tools)))
    expect(await agreed.toolNames()).toEqual(tools.map((tool) => tool['name']))
    expect(await host.waiting()).toEqual([])
  })

  it('twin: an approved update that only reads differently passes in silence', async () => {
    const it = attackWorld()
    await (await it.connect(wire, hostileServer(toolPages(BENIGN_TOOLS)))).toolNames()
    it.release('1.0.1', { tools: signedTools(reworded) })
    const guarded = await it.connect(wire, hostileServer(toolPages(reworded)))
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(guarded.withheld()).toEqual({})
    expect(await (await it.host()).waiting()).toEqual([])
  })
})
