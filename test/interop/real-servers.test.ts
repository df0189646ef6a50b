import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client as ClientV2 } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { program } from '../support/programs.js'
import { guardTransport, type GuardedTransport } from '../../client/src/guard/index.js'
import type { GuardConfig } from '../support/guard-main.js'
import { openWorld, SDKS, type Sdk, type SignedWorld } from '../support/guarded.js'
import { captureSurface, LARGE, openStdio, realServers, type RealServer } from './real-servers.js'

const real = realServers()
const { servers, folder } = real
const configs = mkdtempSync(join(tmpdir(), 'countersign-guards-'))
const signed = new Map<string, readonly string[]>()
let world: SignedWorld

beforeAll(async () => {
  world = await openWorld()
  for (const server of Object.values(servers)) {
    const { server: name = '', ...surface } = await captureSurface(server)
    await world.publish({ server: name, ...surface })
    signed.set(
      name,
      (surface.tools ?? []).map(({ definition }) => definition['name'] as string),
    )
  }
})
afterAll(async () => {
  await world.close()
  real.remove()
  rmSync(configs, { recursive: true, force: true })
})

/** What starts the guard as a process in place of the server. */
function guardLaunch(
  server: RealServer,
  change: Partial<GuardConfig> = {},
): { command: string; args: string[] } {
  const config: GuardConfig = {
    registry: world.registry.url,
    trust: world.trust,
    server: server.name,
    command: server.command,
    args: server.args,
    env: server.env,
    ...change,
  }
  const file = join(configs, `${Math.random().toString(36).slice(2)}.json`)
  writeFileSync(file, JSON.stringify(config))
  const [command, ...args] = program('guard-main.ts', file)
  return { command, args }
}

/** The server is started by the first message for it. */
const HELLO = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}\n'

const WAYS = {
  'in process': async (server: RealServer): Promise<GuardedTransport | StdioClientTransport> =>
    guardTransport(openStdio(server), { host: await world.host(), server: server.name }),
  'as a process': async (server: RealServer) =>
    new StdioClientTransport({ ...guardLaunch(server), stderr: 'ignore' }),
} as const

/** What both SDKs mean by the result of a call. */
type Outcome = Record<string, unknown>

interface Frame {
  readonly id?: unknown
  readonly result?: unknown
  readonly method?: string
  readonly params?: { readonly progressToken?: unknown; readonly progress?: unknown }
}

interface Driver {
  /** What the host heard of how far requests are that were answered since. */
  progress(): unknown[]
  names(): Promise<string[]>
  call(name: string, args: Record<string, unknown>, onprogress?: () => void): Promise<Outcome>
  prompt(name: string): Promise<unknown>
  prompts(): Promise<string[]>
  templates(): Promise<number>
  resource(): Promise<unknown>
  instructions(): string | undefined
}

async function drive(sdk: Sdk, transport: GuardedTransport | StdioClientTransport): Promise<Driver> {
  const client =
    sdk === 'sdk v1'
      ? new ClientV1({ name: 'h', version: '1.0.0' })
      : new ClientV2({ name: 'h', version: '1.0.0' })
  const heard: Frame[] = []
  // Both SDKs chain a handler that is there before they connect.
  transport.onmessage = (frame: object) => heard.push(frame)
  await client.connect(transport)
  onTestFinished(() => client.close())
  return {
    progress: () => {
      const answered = new Set(heard.flatMap(({ id, result }) => (result === undefined ? [] : [id])))
      return heard.flatMap(({ method, params = {} }) =>
        method === 'notifications/progress' && answered.has(params.progressToken) ? [params.progress] : [],
      )
    },
    names: async () => (await client.listTools()).tools.map((tool) => tool.name),
    call: (name, args, onprogress) =>
      client instanceof ClientV1
        ? client.callTool({ name, arguments: args }, undefined, { ...(onprogress && { onprogress }) })
        : client.callTool({ name, arguments: args }, { ...(onprogress && { onprogress }) }),
    prompt: (name) => client.getPrompt({ name }),
    prompts: async () => (await client.listPrompts()).prompts.map((prompt) => prompt.name),
    templates: async () => (await client.listResourceTemplates()).resourceTemplates.length,
    resource: async () => client.readResource({ uri: (await client.listResources()).resources[0]!.uri }),
    instructions: () => client.getInstructions(),
  }
}

const cases = SDKS.flatMap((sdk) =>
  (Object.keys(WAYS) as (keyof typeof WAYS)[]).map((way) => [sdk, way] as const),
)

describe.each(cases)('real servers behind the guard (%s, %s)', (sdk, way) => {
  it('filesystem: lists what was signed, reads a large file unharmed, passes errors', async () => {
    const client = await drive(sdk, await WAYS[way](servers.filesystem))
    expect(await client.names()).toEqual(signed.get(servers.filesystem.name))
    const read = await client.call('read_text_file', { path: join(folder, 'large.txt') })
    expect(read.content).toEqual([{ type: 'text', text: LARGE }])
    expect(await client.call('read_text_file', { path: '/nowhere' })).toMatchObject({ isError: true })
    await expect(client.call('no_such_tool', {})).rejects.toMatchObject({ code: -32602 })
  })

  it('everything: instructions, progress, prompts, templates and resources', async () => {
    const client = await drive(sdk, await WAYS[way](servers.everything))
    expect(client.instructions()).toMatch(/\w/)
    expect(await client.names()).toEqual(signed.get(servers.everything.name))
    const ask = { duration: 1, steps: 4 }
    const long = await client.call('trigger-long-running-operation', ask, () => undefined)
    expect(long.content).toHaveLength(1)
    // As frames: of progress that is read together with its answer a client tells nobody.
    expect(client.progress()).toEqual([1, 2, 3, 4])
    const prompts = await client.prompts()
    expect(prompts).toContain('simple-prompt')
    expect(await client.prompt('simple-prompt')).toHaveProperty('messages')
    await expect(client.prompt('no-such-prompt')).rejects.toMatchObject({ code: -32602 })
    expect(await client.templates()).toBeGreaterThan(0)
    expect(await client.resource()).toHaveProperty('contents')
  })

  it('memory: many calls at once, each with its own answer', async () => {
    const client = await drive(sdk, await WAYS[way](servers.memory))
    const entities = [{ name: `${sdk} ${way}`, entityType: 'run', observations: ['one'] }]
    expect((await client.call('create_entities', { entities })).isError).toBeFalsy()
    const found = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        client.call('search_nodes', { query: n % 2 === 0 ? `${sdk} ${way}` : 'nothing-has-this-name' }),
      ),
    )
    const texts = found.map(({ content }) => JSON.stringify(content).includes(way))
    expect(texts).toEqual(found.map((_, n) => n % 2 === 0))
  })
})

describe('the guard as a process', () => {
  it('ends with its stdin, writes nothing but JSON-RPC to stdout, and takes the server with it', async () => {
    const { command, args } = guardLaunch(servers.memory)
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    // All that it wrote has been read then, which an exit does not say.
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    const initialize = {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'h', version: '1' } },
    }
    child.stdin.write(`this is no frame\n[]\n${JSON.stringify(initialize)}\n`)
    await until(() => out.includes('"id":1'))
    child.stdin.end()
    expect(await ended).toBe(0)
    const lines = out.split('\n').filter((line) => line !== '')
    expect(lines.map((line) => (JSON.parse(line) as { jsonrpc: string }).jsonrpc)).toEqual(
      lines.map(() => '2.0'),
    )
  })

  it.each([
    ['cannot be started', { command: '/nowhere/no-such-command', args: [] }],
    ['ends by itself', { command: process.execPath, args: ['-e', 'process.exit(3)'] }],
  ])('ends with 1 when the server %s', async (_, change) => {
    const { command, args } = guardLaunch(servers.memory, change)
    const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'ignore'] })
    child.stdin.write(HELLO)
    expect(await new Promise<number | null>((resolve) => child.once('exit', resolve))).toBe(1)
    child.stdin.destroy()
  })

  it('ends the server by its own pid when a signal comes', async () => {
    const { command, args } = guardLaunch(servers.memory, {
      command: process.execPath,
      args: [
        '-e',
        `require('fs').writeFileSync(${JSON.stringify(join(configs, 'pid'))}, String(process.pid)); process.stdin.resume(); process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`,
      ],
    })
    const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'ignore'] })
    child.stdin.write(HELLO)
    const pidFile = join(configs, 'pid')
    await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '')
    const pid = Number(readFileSync(pidFile, 'utf8'))
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    expect(await ended).toBe(143)
    await until(() => !isAlive(pid))
  })

  it('hands the server the configured environment and the short list, nothing else', async () => {
    const file = join(configs, 'env.json')
    const { command, args } = guardLaunch(servers.memory, {
      command: process.execPath,
      args: ['-e', `require('fs').writeFileSync(${JSON.stringify(file)}, JSON.stringify(process.env))`],
      env: { CONFIGURED: 'yes' },
    })
    const child = spawn(command, args, {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { ...process.env, SECRET_OF_THE_HOST: 'no' },
    })
    child.stdin.write(HELLO)
    await new Promise((resolve) => child.once('exit', resolve))
    const env = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>
    expect(env['CONFIGURED']).toBe('yes')
    expect(env['PATH']).toBe(process.env['PATH'])
    expect(env).not.toHaveProperty('SECRET_OF_THE_HOST')
  })
})

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 20))
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
