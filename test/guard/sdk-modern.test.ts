import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { guardTransport, type GuardEvent } from '../../client/src/guard/index.js'
import { allow, eventsOf, fakeReviewer } from './support.js'

/** A real server of SDK 2 behind its own HTTP handler, without a socket between. */
function openServer() {
  const calls: string[] = []
  const handler = createMcpHandler(() => {
    const server = new McpServer(
      { name: 'real', version: '1.0.0' },
      { capabilities: { tools: { listChanged: true } } },
    )
    server.registerTool('good', { inputSchema: z.object({}) }, () => {
      calls.push('good')
      return { content: [{ type: 'text', text: 'fine' }] }
    })
    return server
  })
  onTestFinished(() => handler.close())
  const listens: string[] = []
  const fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const body =
      typeof init?.body === 'string' ? (JSON.parse(init.body) as { method?: string; id?: string }) : {}
    if (body.method === 'subscriptions/listen') listens.push(String(body.id))
    return handler.fetch(new Request(url, init))
  }
  return { handler, calls, listens, fetch }
}

async function connect(server: ReturnType<typeof openServer>, names: string[]) {
  const events: GuardEvent[] = []
  const inner = new StreamableHTTPClientTransport(new URL('http://real.test/mcp'), { fetch: server.fetch })
  const guard = guardTransport(inner, {
    host: fakeReviewer(() => allow(...names)),
    server: 'com.example/real',
    onEvent: (event) => events.push(event),
  })
  const client = new Client({ name: 'host', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
  await client.connect(guard)
  onTestFinished(() => client.close())
  return { client, guard, heard: { messages: [], events, answer: () => Promise.reject(new Error('unused')) } }
}

const own = (listens: readonly string[]): string[] => listens.filter((id) => id.startsWith('countersign:'))

describe('a host and a server of SDK 2 in the 2026 era', () => {
  it('are guarded: the server’s own word that its tools changed freezes them, though the host did not subscribe', async () => {
    const server = openServer()
    const names = ['good']
    const { client, heard } = await connect(server, names)
    expect(client.getProtocolEra()).toBe('modern')
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['good'])
    expect(await client.callTool({ name: 'good' })).toMatchObject({ content: [{ text: 'fine' }] })
    await expect.poll(() => own(server.listens)).toHaveLength(1)

    names.length = 0
    // The server may not have taken the subscription in yet: it says so until it is heard.
    await expect
      .poll(() => {
        server.handler.notify.toolsChanged()
        return eventsOf(heard, 'frozen').length
      })
      .toBeGreaterThan(0)
    await expect(client.callTool({ name: 'good' })).rejects.toMatchObject({ code: -32602 })
    expect(server.calls).toEqual(['good'])
  })

  it('share one subscription: the guard’s gives way to the host’s, which hears of a revocation', async () => {
    const server = openServer()
    const names = ['good']
    const { client, guard } = await connect(server, names)
    let told = 0
    client.setNotificationHandler('notifications/tools/list_changed', () => {
      told++
    })
    const subscription = await client.listen({ toolsListChanged: true })
    expect(subscription.honoredFilter).toMatchObject({ toolsListChanged: true })
    await client.listTools()
    names.length = 0
    await guard.recheck()
    await expect.poll(() => told).toBe(1)
    expect((await client.listTools()).tools).toEqual([])
    expect(own(server.listens).length).toBeLessThanOrEqual(1)
  })
})
