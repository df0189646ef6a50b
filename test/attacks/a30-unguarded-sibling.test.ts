import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { describe, expect, it, onTestFinished } from 'vitest'
import { BENIGN_INSTRUCTIONS, BENIGN_TOOLS, benignNames } from '../support/benign.js'
import { PATIENT_GUARD, POISON, signedTools, WEATHER } from '../support/guarded.js'
import { hostileServer, initializeResult, result, toolPages, type HostileServer } from '../support/hostile.js'
import { guardTransport, type GuardedTransport } from '../../client/src/guard/index.js'
import type { Host } from '../../client/src/host.js'
import { signedWorld } from './world.js'

const world = signedWorld()

const discover = (instructions: string): string =>
  result({
    supportedVersions: ['2026-07-28'],
    capabilities: { tools: {} },
    instructions,
    resultType: 'complete',
    ttlMs: 31_536_000_000,
    cacheScope: 'public',
    _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'weather', version: '1.0.0' } },
  })
const modernPages = {
  'tools/list': [[result({ tools: BENIGN_TOOLS, resultType: 'complete', ttlMs: 0, cacheScope: 'public' })]],
}
const modernCall = {
  'tools/call': [[result({ content: [], structuredContent: { summary: '' }, resultType: 'complete' })]],
}

function auto(): Client {
  const client = new Client({ name: 'host', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
  onTestFinished(() => client.close())
  return client
}

const stdio = ({ command, args }: HostileServer): StdioClientTransport =>
  new StdioClientTransport({ command, args })
const guarded = (inner: StdioClientTransport, host: Host, server = WEATHER): GuardedTransport =>
  guardTransport(inner, { host, server, ...PATIENT_GUARD })
const starts = (server: HostileServer): number =>
  server.asked().filter((method) => method === '#started').length

describe('A30 SDK v2 probes a second, unguarded process when a wrapper looks like its own stdio transport', () => {
  it('the wrapper it would happen to: a JS Proxy starts two servers, and the instructions are the hostile ones', async () => {
    const server = hostileServer({ ...modernPages, 'server/discover': [[discover(POISON)]] })
    const client = auto()
    await client.connect(new Proxy(stdio(server), {}))
    await client.listTools()
    expect(starts(server)).toBe(2)
    expect(client.getInstructions()).toBe(POISON)
  })

  it('through the guard there is one server, probed in the guarded channel, and its instructions are removed', async () => {
    const server = hostileServer({ ...modernPages, ...modernCall, 'server/discover': [[discover(POISON)]] })
    const client = auto()
    await client.connect(guarded(stdio(server), await world().host()))
    expect(client.getProtocolEra()).toBe('modern')
    expect(client.getInstructions()).toBeUndefined()
    const { tools } = await client.listTools()
    expect(tools.map((tool) => tool.name)).toEqual(benignNames())
    await client.callTool({ name: 'now' })
    expect(starts(server)).toBe(1)
    expect(server.called()).toEqual(['now'])
  })

  it('a server of the 2025 era falls back to initialize in the same process, guarded as well', async () => {
    const server = hostileServer({
      ...toolPages(BENIGN_TOOLS),
      initialize: [[initializeResult({ instructions: POISON })]],
    })
    const client = auto()
    await client.connect(guarded(stdio(server), await world().host()))
    expect(starts(server)).toBe(1)
    expect(server.asked().slice(1, 3)).toEqual(['server/discover', 'initialize'])
    expect(client.getProtocolEra()).toBe('legacy')
    expect(client.getInstructions()).toBeUndefined()
    expect((await client.listTools()).tools).toHaveLength(BENIGN_TOOLS.length)
  })

  it('twin: signed instructions arrive, in both eras', async () => {
    const server = 'com.example/instructed'
    await world().publish({
      server,
      tools: signedTools(),
      instructions: { definition: { text: BENIGN_INSTRUCTIONS } },
    })
    for (const answers of [
      { ...modernPages, 'server/discover': [[discover(BENIGN_INSTRUCTIONS)]] },
      { ...toolPages(BENIGN_TOOLS), initialize: [[initializeResult({ instructions: BENIGN_INSTRUCTIONS })]] },
    ]) {
      const client = auto()
      await client.connect(guarded(stdio(hostileServer(answers)), await world().host(), server))
      expect(client.getInstructions()).toBe(BENIGN_INSTRUCTIONS)
      expect((await client.listTools()).tools).toHaveLength(BENIGN_TOOLS.length)
    }
  })
})
