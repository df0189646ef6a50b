import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { Client as ClientV2, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { GuardEvent } from '../../client/src/guard/index.js'
import { openGuardServer, type GuardServer, type GuardServerOptions } from '../../client/src/proxy/index.js'
import { allow, fakeReviewer } from '../guard/support.js'
import { program } from '../support/programs.js'

const [command, ...args] = program('stdio-server.ts')
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion'

/** An honest server of both eras behind the guard; of its three tools the host may have two. */
async function open(options: Partial<GuardServerOptions> = {}) {
  const events: GuardEvent[] = []
  const host = fakeReviewer(() => allow('echo', 'large'))
  const server = await openGuardServer(
    { host, slot: 'test', command, args, port: 0, onEvent: (event) => events.push(event), ...options },
    () => undefined,
  )
  onTestFinished(() => server.close())
  return { server, events }
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** A request as no client library would make it. */
function ask(
  { url, secret }: GuardServer,
  body: unknown,
  { method = 'POST', headers = {}, path = '/mcp' }: { method?: string; headers?: object; path?: string } = {},
): Promise<Answer> {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const sent = {
    authorization: `Bearer ${secret}`,
    accept: 'application/json, text/event-stream',
    ...(text !== '' && { 'content-type': 'application/json' }),
    ...headers,
  }
  return new Promise((resolve, reject) => {
    // A connection that is kept may be closed at the moment when it is used again.
    const options = { method, headers: sent, agent: false } as const
    const outgoing = httpRequest(new URL(path, url), options, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response
        resolve({ status, headers, text: Buffer.concat(parts).toString('utf8') })
      })
    })
    outgoing.on('error', reject).end(text)
  })
}

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'host', version: '1' } },
}

const modern = (id: number, method: string, params: object = {}): object => ({
  jsonrpc: '2.0',
  id,
  method,
  params: {
    ...params,
    _meta: {
      [VERSION_KEY]: '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
      'io.modelcontextprotocol/clientInfo': { name: 'host', version: '1' },
    },
  },
})
const modernHeaders = (method: string, name?: string): object => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': method,
  ...(name !== undefined && { 'mcp-name': name }),
})

const CLIENTS = {
  'sdk v1': async ({ url, secret }: GuardServer) => {
    const client = new ClientV1({ name: 'host', version: '1.0.0' })
    const headers = { authorization: `Bearer ${secret}` }
    await client.connect(new TransportV1(new URL(url), { requestInit: { headers } }))
    return client
  },
  'sdk v2, 2025': (server: GuardServer) => connectV2(server, 'legacy'),
  'sdk v2, 2026': (server: GuardServer) => connectV2(server, 'auto'),
}

async function connectV2({ url, secret }: GuardServer, mode: 'legacy' | 'auto'): Promise<ClientV2> {
  const client = new ClientV2({ name: 'host', version: '1.0.0' }, { versionNegotiation: { mode } })
  const headers = { authorization: `Bearer ${secret}` }
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }))
  return client
}

describe.each(Object.entries(CLIENTS))('a guard over HTTP, %s', (_, connect) => {
  it('shows what is verified, calls it, and refuses the rest', async () => {
    const { server } = await open()
    const client = await connect(server)
    onTestFinished(() => client.close())
    const { tools } = await client.listTools()
    expect(tools.map(({ name, description }) => [name, description])).toEqual([
      ['echo', 'signed echo'],
      ['large', 'signed large'],
    ])
    const { content } = await client.callTool({ name: 'echo', arguments: {} })
    expect(content).toEqual([{ type: 'text', text: 'heard' }])
    await expect(client.callTool({ name: 'turn', arguments: {} })).rejects.toMatchObject({ code: -32602 })
    const large = await client.callTool({ name: 'large', arguments: {} })
    expect(JSON.stringify(large)).toContain('x'.repeat(2 * 1024 * 1024))
  })

  it('serves several at once that choose the same ids', async () => {
    const { server } = await open()
    const clients = await Promise.all([connect(server), connect(server), connect(server)])
    onTestFinished(async () => {
      await Promise.all(clients.map((client) => client.close()))
    })
    const answers = await Promise.all(
      clients.flatMap((client) => [
        client.listTools().then(({ tools }) => tools.length),
        client.callTool({ name: 'echo', arguments: {} }).then(({ content }) => JSON.stringify(content)),
      ]),
    )
    expect(new Set(answers)).toEqual(new Set([2, '[{"type":"text","text":"heard"}]']))
  })
})

it('tells a subscriber of the 2026 era that a list changed, under the id that the client chose', async () => {
  const { server } = await open({ host: fakeReviewer(() => allow('echo', 'turn')) })
  // A server that starts slowly would be taken for one of 2025 when it is probed: this one runs already.
  await ask(server, modern(1, 'tools/list'), { headers: modernHeaders('tools/list') })
  const client = new ClientV2(
    { name: 'host', version: '1.0.0' },
    {
      versionNegotiation: { mode: 'auto' },
      listChanged: { tools: { onChanged: () => told(), autoRefresh: false, debounceMs: 0 } },
    },
  )
  let told: () => void = () => undefined
  const changed = new Promise<void>((resolve) => (told = resolve))
  const headers = { authorization: `Bearer ${server.secret}` }
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers } }))
  onTestFinished(() => client.close())
  expect(client.getProtocolEra()).toBe('modern')
  await client.listTools()
  await client.callTool({ name: 'turn', arguments: {} })
  await changed
})

describe('who is let in', () => {
  it.each<[string, object, number, string?]>([
    ['no secret', { authorization: '' }, 401],
    ['another secret', { authorization: `Bearer ${'x'.repeat(43)}` }, 401],
    ['another scheme', { authorization: 'Basic eA==' }, 401],
    ['a name that points here', { host: 'attacker.example:8470' }, 403],
    ['a web page', { origin: 'https://attacker.example' }, 403],
    ['a web page of this machine', { origin: 'http://localhost:3000' }, 403],
    ['a page without a place', { origin: 'null' }, 403],
    ['another path', {}, 404, '/elsewhere'],
    ['another type', { 'content-type': 'text/plain' }, 415],
  ])('%s: not, and no server is started', async (_, headers, status, path = '/mcp') => {
    const { server } = await open()
    expect((await ask(server, INITIALIZE, { headers, path })).status).toBe(status)
    expect(server.size).toBe(0)
  })

  it('the secret, from this machine', async () => {
    const { server } = await open({ secret: 's'.repeat(32) })
    expect(server.secret).toBe('s'.repeat(32))
    const { status, headers } = await ask(server, INITIALIZE)
    expect([status, typeof headers['mcp-session-id'], server.size]).toEqual([200, 'string', 1])
  })

  it('nobody by a secret that is short', async () => {
    await expect(open({ secret: 'short' })).rejects.toMatchObject({ code: 'usage' })
  })
})

describe('what is refused before it reaches a server', () => {
  it.each<[string, unknown, number]>([
    ['a batch', [INITIALIZE], 400],
    ['no JSON', '{', 400],
    ['no frame', { jsonrpc: '2.0' }, 400],
    ['more than 10 MB', `{"a":"${'x'.repeat(10 * 1024 * 1024)}"}`, 413],
    ['a request without a session', { jsonrpc: '2.0', id: 1, method: 'tools/list' }, 400],
  ])('%s', async (_, body, status) => {
    const { server } = await open()
    const answer = await ask(server, body).catch((error: unknown) => (error as NodeJS.ErrnoException).code)
    // The connection may be closed while the rest of a large body is still being sent.
    if (typeof answer === 'object') expect(answer.status).toBe(status)
    else expect([status, ['EPIPE', 'ECONNRESET'].includes(String(answer))]).toEqual([413, true])
    expect(server.size).toBe(0)
  })

  it('a session that is over', async () => {
    const { server } = await open()
    const { headers } = await ask(server, INITIALIZE)
    const session = { 'mcp-session-id': headers['mcp-session-id'] }
    expect((await ask(server, undefined, { method: 'DELETE', headers: session })).status).toBe(204)
    const listing = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    expect((await ask(server, listing, { headers: session })).status).toBe(404)
    expect((await ask(server, undefined, { method: 'GET', headers: session })).status).toBe(404)
    expect((await ask(server, undefined, { method: 'PUT' })).status).toBe(405)
  })

  it.each<[string, object]>([
    ['another method', modernHeaders('tools/list', 'echo')],
    ['another name', modernHeaders('tools/call', 'turn')],
    ['no name', modernHeaders('tools/call')],
    ['another version', { ...modernHeaders('tools/call', 'echo'), 'mcp-protocol-version': '2025-11-25' }],
    ['Base64 that is none', modernHeaders('tools/call', '=?base64?!?=')],
    ['nothing', {}],
  ])('a request of 2026 whose headers say %s', async (_, headers) => {
    const { server, events } = await open()
    const answer = await ask(server, modern(5, 'tools/call', { name: 'echo' }), { headers })
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text)).toMatchObject({ id: 5, error: { code: -32020 } })
    expect(events.filter(({ type }) => type === 'call-begun')).toEqual([])
  })

  it('nothing, where they say what the body says', async () => {
    const { server } = await open()
    const headers = modernHeaders('tools/call', `=?base64?${Buffer.from('echo').toString('base64')}?=`)
    const answer = await ask(server, modern(5, 'tools/call', { name: 'echo', arguments: {} }), { headers })
    expect(answer.status).toBe(200)
    expect(answer.text).toContain('"text":"heard"')
  })
})

it('ends sessions that nobody uses, and starts anew for whoever comes', async () => {
  const { server } = await open({ idleMs: 50 })
  expect((await ask(server, INITIALIZE)).status).toBe(200)
  await ask(server, modern(1, 'tools/list'), { headers: modernHeaders('tools/list') })
  await expect.poll(() => server.size).toBe(0)
  expect((await ask(server, INITIALIZE)).status).toBe(200)
})

it('keeps track of the server that took the place of one that is still ending', async () => {
  // It ends by SIGTERM alone.
  const stubborn = `
    setInterval(() => undefined, 1000)
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { id, method } = JSON.parse(line)
      if (method === 'x.example/pid')
        process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result: { pid: process.pid } }) + '\\n')
    })`
  const { server } = await open({ idleMs: 50, command: process.execPath, args: ['-e', stubborn] })
  const send = (id: number, method: string): Promise<Answer> =>
    ask(server, modern(id, method), { headers: modernHeaders(method) })
  const pidOf = async (id: number): Promise<number> => {
    // What is late comes as a stream.
    const [, pid] = /"pid":(\d+)/.exec((await send(id, 'x.example/pid')).text) ?? []
    expect(pid).toBeDefined()
    return Number(pid)
  }
  const first = await pidOf(1)
  await expect.poll(() => server.size).toBe(0)
  // Its successor is kept busy.
  const waiting = send(2, 'x.example/wait').catch(() => undefined)
  const second = await pidOf(3)
  expect(second).not.toBe(first)
  await expect.poll(() => isAlive(first)).toBe(false)
  expect(await pidOf(4)).toBe(second)
  await server.close()
  await waiting
  await expect.poll(() => isAlive(second)).toBe(false)
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

it('ends the stream of a subscription that the server ends', async () => {
  const script = `
    const write = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n')
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { id, method, params } = JSON.parse(line)
      if (method === 'subscriptions/listen' && !id.startsWith('countersign:')) {
        write({
          method: 'notifications/subscriptions/acknowledged',
          params: { notifications: {}, _meta: { 'io.modelcontextprotocol/subscriptionId': id } },
        })
        write({ method: 'notifications/cancelled', params: { requestId: id } })
      } else if (id !== undefined) write({ id, result: { tools: [], supportedVersions: [] } })
    })`
  const { server } = await open({ command: process.execPath, args: ['-e', script] })
  const listening = modern(7, 'subscriptions/listen', { notifications: { toolsListChanged: true } })
  const headers = modernHeaders('subscriptions/listen')
  const { status, text } = await ask(server, listening, { headers })
  expect(status).toBe(200)
  expect(text).toContain('notifications/subscriptions/acknowledged')
  expect(text).not.toContain('"h:')
})

it('answers with an error when the server ends, and starts another for the next session', async () => {
  const mortal = `process.stdin.once('data', () => process.exit(3))`
  const { server } = await open({ command: process.execPath, args: ['-e', mortal] })
  const { text } = await ask(server, INITIALIZE)
  expect(text).toContain('-32603')
  await expect.poll(() => server.size).toBe(0)
})

it('has a limit for sessions', async () => {
  const idle = 'process.stdin.resume()'
  const { server } = await open({ command: process.execPath, args: ['-e', idle], maxSessions: 1 })
  void ask(server, INITIALIZE).catch(() => undefined) // it waits until the end
  await expect.poll(() => server.size).toBe(1)
  expect((await ask(server, INITIALIZE)).status).toBe(503)
})
