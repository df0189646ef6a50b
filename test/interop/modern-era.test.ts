import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { guardTransport, type GuardEvent } from '../../client/src/guard/index.js'
import { openWorld, type SignedWorld } from '../support/guarded.js'
import { program } from '../support/programs.js'
import { captureSurface, type RealServer } from './real-servers.js'

const [command, ...args] = program('stdio-server.ts')
const echo: RealServer = { name: 'com.example/echo', command, args, env: {} }

let world: SignedWorld
let approved: string
beforeAll(async () => {
  world = await openWorld()
  const { server = '', ...surface } = await captureSurface(echo)
  approved = await world.publish({ server, ...surface })
})
afterAll(() => world.close())

/** SDK v2 on both sides, the era as the two agree on it. */
async function connect(onChange?: () => void) {
  const events: GuardEvent[] = []
  const inner = new StdioClientTransport({ command: echo.command, args: [...echo.args], stderr: 'inherit' })
  const host = await world.host()
  const transport = guardTransport(inner, { host, server: echo.name, onEvent: (event) => events.push(event) })
  const client = new Client(
    { name: 'host', version: '1.0.0' },
    {
      versionNegotiation: { mode: 'auto' },
      ...(onChange && { listChanged: { tools: { onChanged: onChange, autoRefresh: false, debounceMs: 0 } } }),
    },
  )
  onTestFinished(() => client.close())
  await client.connect(transport)
  return { client, events, transport }
}

describe('the 2026 era, SDK v2 on both sides', () => {
  it('lists, calls, and takes large results through', async () => {
    const { client } = await connect()
    expect(client.getProtocolEra()).toBe('modern')
    expect(client.getInstructions()).toBe('Say something and hear it again.')
    expect((await client.listTools()).tools.map((tool) => tool.name)).toEqual(['echo', 'large', 'turn'])
    const { content } = await client.callTool({ name: 'large' })
    expect(content).toEqual([{ type: 'text', text: 'x'.repeat(2 * 1024 * 1024) }])
  })

  it('a server that turns bad tells so, and the tool is gone before the host lists again', async () => {
    let told: () => void = () => undefined
    const changed = new Promise<void>((resolve) => (told = resolve))
    const { client, events } = await connect(() => told())
    await client.listTools()
    await client.callTool({ name: 'turn' })
    await changed
    await expect(client.callTool({ name: 'echo' })).rejects.toMatchObject({ code: -32602 })
    expect((await client.listTools()).tools.map((tool) => tool.name)).toEqual(['large', 'turn'])
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'call-refused', code: 'definition-changed' }),
    )
  })

  it('a revocation reaches the host as a change of the list, and its cache is gone', async () => {
    let told: () => void = () => undefined
    const changed = new Promise<void>((resolve) => (told = resolve))
    const { client, transport } = await connect(() => told())
    expect((await client.listTools()).tools).toHaveLength(3)
    await world.registry.admin.post(`/v1/manifests/${approved}/revocation`, { reason: 'a test' })
    await transport.recheck()
    await changed
    expect((await client.listTools()).tools).toEqual([])
    await expect(client.callTool({ name: 'echo' })).rejects.toMatchObject({ code: -32602 })
  })
})
