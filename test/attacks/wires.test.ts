import { describe, expect, it } from 'vitest'
import { attackWorld } from '../support/attack-world.js'
import { BENIGN_TOOLS, benignNames } from '../support/benign.js'
import { isHttp, isModern, WIRES } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'

describe('the wires on which attacks are tried', () => {
  it.each(WIRES)('%s is what it is called', async (wire) => {
    const server = hostileServer(toolPages(BENIGN_TOOLS))
    const bodies: string[] = []
    const guarded = await attackWorld().connect(wire, server, {
      raw: (_, _response, __, headers) => {
        bodies.push(String(headers['content-type']))
        return false
      },
    })
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(await guarded.call('now')).toBe('done')
    const handshakes = server.asked().filter((method) => /^(initialize|server\/discover)$/.test(method))
    expect(handshakes).toEqual([isModern(wire) ? 'server/discover' : 'initialize'])
    expect(bodies.length > 0).toBe(isHttp(wire))
    expect(guarded.heard().includes('"resultType":"complete"')).toBe(isModern(wire))
  })
})
