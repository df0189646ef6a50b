import { spawn, type ChildProcess } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CountersignError } from 'countersign/core'
import { buildManifest, captureServer, compareSurfaces } from 'countersign/publish'
import { realServer } from '../support/cli-command.js'
import { onFreePort } from '../support/ports.js'

const FAST = { startMs: 40_000, answerMs: 20_000 }

async function failureOf(run: Promise<unknown>): Promise<string> {
  const error: unknown = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof CountersignError ? error.code : `not ours: ${String(error)}`
}

async function startRemote(port: number): Promise<{ child: ChildProcess; url: string }> {
  const [command = '', ...args] = realServer('everything', 'streamableHttp')
  const child = spawn(command, args, {
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('listening')) resolve()
    })
    child.once('close', () => reject(new Error(`the server did not start: ${said}`)))
  })
  return { child, url: `http://127.0.0.1:${port}/mcp` }
}

describe('captureServer over Streamable HTTP', () => {
  let child: ChildProcess
  let url: string
  beforeAll(async () => {
    ;({ child, url } = await onFreePort(startRemote))
  })
  afterAll(() => child.kill())

  it('reads the same surface as over stdio', async () => {
    const remote = await captureServer({ url }, FAST)
    const local = await captureServer({ command: realServer('everything') }, FAST)
    expect(compareSurfaces(remote.surface, local.surface)).toEqual([])
    const about = {
      registry: 'registry-test',
      server: 'com.example/a',
      version: '1.0.0',
      role: 'voucher',
    } as const
    expect(buildManifest(remote, about).subject).toEqual({ remotes: [{ url }] })
  })
})

describe('a remote server that lies at the byte level', () => {
  let server: Server
  let answer: (id: number, method: string) => string = () => ''
  let type = 'application/json'
  let url: string
  beforeAll(async () => {
    server = createServer((req, res) => {
      const parts: Buffer[] = []
      req.on('data', (part: Buffer) => parts.push(part))
      req.on('end', () => {
        if (req.method !== 'POST') return res.writeHead(405).end()
        const { id, method } = JSON.parse(Buffer.concat(parts).toString()) as { id?: number; method: string }
        if (id === undefined) return res.writeHead(202).end()
        const text = `{"jsonrpc":"2.0","id":${id},"result":${answer(id, method)}}`
        return res
          .writeHead(200, { 'content-type': type })
          .end(type === 'application/json' ? text : `data: ${text}\n\n`)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  })
  afterAll(() => void server.close())

  const hello =
    '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"a","version":"1"}}'
  const listing = (tools: string) => (_id: number, method: string) =>
    method === 'initialize' ? hello : `{"tools":${tools}}`

  it.each(['application/json', 'text/event-stream'])(
    'is read as %s when it is honest',
    async (contentType) => {
      type = contentType
      answer = listing('[{"name":"a","inputSchema":{"type":"object"}}]')
      expect((await captureServer({ url }, FAST)).surface.items).toHaveLength(1)
    },
  )

  it.each(['application/json', 'text/event-stream'])(
    'is refused as %s for two members of one name',
    async (contentType) => {
      type = contentType
      answer = listing('[{"name":"a","description":"x","description":"y","inputSchema":{"type":"object"}}]')
      // In a stream it is no message, and the answer never comes.
      expect(await failureOf(captureServer({ url }, { ...FAST, answerMs: 3000 }))).toBe('capture-failed')
    },
  )
})

describe('targets', () => {
  it.each(['http://example.com/mcp', 'ftp://example.com', 'https://user:pass@example.com', 'nonsense'])(
    'refuses %s',
    async (url) => {
      expect(await failureOf(captureServer({ url }, FAST))).toBe('usage')
    },
  )

  it('takes a command or a URL, not both and not none', async () => {
    expect(await failureOf(captureServer({}, FAST))).toBe('usage')
    expect(await failureOf(captureServer({ command: ['a'], url: 'https://example.com' }, FAST))).toBe('usage')
  })
})
