import { request as httpRequest } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { boundedFetch } from '../../client/src/proxy/bounded-fetch.js'
import { openGuardServer, type GuardServer, type GuardServerOptions } from '../../client/src/proxy/index.js'
import type { Reply } from '../../client/src/proxy/listen/reply.js'
import { Session } from '../../client/src/proxy/listen/session.js'
import type { Guarded } from '../../client/src/proxy/open-server.js'
import { KnownHeaderParams } from '../../client/src/proxy/param-headers.js'
import { ProbedServer } from '../../client/src/proxy/probed-server.js'
import { RemoteServer } from '../../client/src/proxy/remote-server.js'
import { StdioServer } from '../../client/src/proxy/stdio-server.js'
import { allow, fakeReviewer } from '../guard/support.js'
import { openEvents, openRawHttp } from '../support/http-raw.js'
import { PlayedServer, request, type Message } from './support.js'

const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion'

/** A guard over HTTP before a server whose reaction to each `message` is the body of a function. */
async function serve(script: string, options: Partial<GuardServerOptions> = {}): Promise<GuardServer> {
  const source = `
    const write = (line) => process.stdout.write(line + '\\n')
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const message = JSON.parse(line)
      const answer = (result) => write(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }))
      if (message.method === 'initialize') answer({ protocolVersion: '2025-11-25', capabilities: {} })
      else { ${script} }
    })`
  const host = fakeReviewer(() => allow('now'))
  const server = await openGuardServer(
    { host, slot: 'test', command: process.execPath, args: ['-e', source], port: 0, ...options },
    () => undefined,
  )
  onTestFinished(() => server.close())
  return server
}

interface Asked {
  readonly text: Promise<string>
  readonly session: Promise<string>
  leave(): void
}

function post({ url, secret }: GuardServer, body: object | string, session?: string): Asked {
  const outgoing = httpRequest(url, {
    method: 'POST',
    // A connection that is kept may be closed at the moment when it is used again.
    agent: false,
    headers: {
      authorization: `Bearer ${secret}`,
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...(session !== undefined && { 'mcp-session-id': session }),
    },
  })
  const response = new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve).on('error', reject)
  })
  response.catch(() => undefined) // of a client that left
  outgoing.end(typeof body === 'string' ? body : JSON.stringify(body))
  const text = response.then(async (incoming) => {
    let all = ''
    for await (const part of incoming as AsyncIterable<Buffer>) all += part.toString('utf8')
    return all
  })
  text.catch(() => undefined)
  const sessionId = response.then(({ headers }) => String(headers['mcp-session-id']))
  sessionId.catch(() => undefined)
  return { text, session: sessionId, leave: () => outgoing.destroy() }
}

async function greet(server: GuardServer): Promise<string> {
  const hello = post(server, request(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {} }))
  await hello.text
  return hello.session
}

describe('a session over HTTP', () => {
  it('ends the answer to what the client gave up, and serves on', async () => {
    const server = await serve(`if (message.method === 'ping') answer({})`)
    const session = await greet(server)
    const slow = Array.from({ length: 256 }, (_, n) => post(server, request(n + 1, 'slow'), session))
    await expect
      .poll(async () => (await post(server, request('x', 'ping'), session).text).includes('too many'))
      .toBe(true)
    for (let requestId = 1; requestId <= slow.length; requestId++) {
      const params = { requestId }
      await post(server, { jsonrpc: '2.0', method: 'notifications/cancelled', params }, session).text
    }
    const said = (await Promise.all(slow.map(({ text }) => text))).join('')
    // Who waits for long is told so.
    expect(said.replaceAll(': still here\n\n', '')).toBe('')
    expect(await post(server, request('y', 'ping'), session).text).toContain('"result"')
  })

  it('survives an answer that is nested too deeply to be written', async () => {
    const server = await serve(`
      if (message.id === 1) write('{"jsonrpc":"2.0","id":1,"result":{"a":' + '['.repeat(100000) + ']'.repeat(100000) + '}}')
      else answer({})`)
    const session = await greet(server)
    expect(await post(server, request(1, 'ping'), session).text).toContain('-32603')
    expect(await post(server, request(2, 'ping'), session).text).toContain('"result"')
  })

  it('passes numbers that no double holds as they are', async () => {
    const server = await serve(
      `write(line.includes('12345678901234567891') ? '{"jsonrpc":"2.0","id":1,"result":{"n":98765432109876543219}}' : '')`,
    )
    const session = await greet(server)
    const ping = '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":12345678901234567891}}'
    expect(await post(server, ping, session).text).toContain('98765432109876543219')
  })

  it('ends though the server never answered a client that went away', async () => {
    const server = await serve(`write('{"jsonrpc":"2.0","method":"notifications/message","params":{}}')`, {
      idleMs: 50,
    })
    const hello = post(server, request(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {} }))
    const session = await hello.session
    const lost = post(server, request(1, 'slow'), session)
    await lost.session // its answer has begun
    lost.leave()
    await expect.poll(() => server.size).toBe(0)
  })

  it('keeps what is told before there is a stream for it, but nothing large', () => {
    const guarded = {
      onmessage: (message: object) => expect.unreachable(JSON.stringify(message)),
      send: () => Promise.resolve(),
    }
    const session = new Session({ guarded } as unknown as Guarded, Date.now, () => undefined)
    const told = (data: string): object => request('', 'notifications/message', { data })
    for (const data of ['first', 'x'.repeat(2 ** 20), 'last']) guarded.onmessage(told(data))
    const pushed: object[] = []
    const stream = { isStream: true, open: () => undefined, push: (message: object) => pushed.push(message) }
    session.listen(stream as unknown as Reply)
    expect(pushed).toEqual([told('first'), told('last')])
    guarded.onmessage(told('x'.repeat(2 ** 20)))
    expect(pushed).toHaveLength(3)
  })
})

describe('a process', () => {
  it('that does not listen any more ends, for no answer comes', async () => {
    const deaf = `require('node:fs').closeSync(0); setInterval(() => {}, 1000); process.stdout.write('{}\\n')`
    const server = new StdioServer({ command: process.execPath, args: ['-e', deaf] })
    let isClosed = false
    const isReady = new Promise<void>((resolve) => (server.onmessage = () => resolve()))
    server.onclose = () => (isClosed = true)
    await server.start()
    await isReady
    await server.send(request(1, 'ping'))
    await expect.poll(() => isClosed).toBe(true)
  })

  it('is not started while another still ends', async () => {
    const processes: PlayedServer[] = []
    let finish = (): void => undefined
    const server = new ProbedServer(() => {
      const played = new PlayedServer()
      played.close = () => new Promise((resolve) => (finish = resolve))
      processes.push(played)
      return played
    })
    await server.send(request('p', 'server/discover'))
    const closed = server.close()
    await expect(server.send(request(1, 'initialize'))).rejects.toThrow()
    finish()
    await closed
    expect(processes).toHaveLength(1)
  })

  it('that ended by itself is closed with what it started', async () => {
    const processes: PlayedServer[] = []
    const server = new ProbedServer(() => {
      const played = new PlayedServer()
      processes.push(played)
      return played
    })
    await server.send(request(1, 'initialize'))
    processes[0]?.onclose?.()
    expect(processes[0]?.state).toBe('closed')
  })
})

describe('a stream that the guard itself asked for', () => {
  const listen = (id: string): Message =>
    request(id, 'subscriptions/listen', { _meta: { [VERSION_KEY]: '2026-07-28' } })

  it('is told to be lost, closed when given up, and neither is an answer', async () => {
    const heard: object[] = []
    const http = await openRawHttp(({ body }, response) => {
      openEvents(response)({ method: 'notifications/message', params: {} })
      if (body?.id === 'ends') response.end()
    })
    const server = new RemoteServer({ url: http.url }, new KnownHeaderParams())
    server.onmessage = (message) => heard.push(message)
    await server.start()
    onTestFinished(() => server.close())
    await new Promise<void>((resolve) => {
      void server.send(listen('ends'), { onRequestStreamEnd: resolve })
    })
    const abort = new AbortController()
    await server.send(listen('stays'), { requestSignal: abort.signal, onRequestStreamEnd: () => undefined })
    await expect.poll(() => heard).toHaveLength(2)
    abort.abort()
    await server.send({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 'stays' },
    })
    await expect.poll(() => http.abandoned.map(({ body }) => body?.id)).toEqual(['stays'])
    expect(heard.filter((message) => 'id' in message)).toEqual([])
    expect(http.requests.map(({ body }) => body?.method)).not.toContain('notifications/cancelled')
  })
})

it('a body that drips comes whole', async () => {
  const text = JSON.stringify({ a: 'ä'.repeat(2000) })
  const http = await openRawHttp((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    for (const byte of Buffer.from(text)) response.write(Buffer.of(byte))
    response.end()
  })
  expect(await (await boundedFetch(http.url)).text()).toBe(text)
})
