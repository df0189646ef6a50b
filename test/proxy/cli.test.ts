import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { captureSurface } from '../interop/real-servers.js'
import { cliCommand, runCli } from '../support/cli.js'
import { openWorld, type SignedWorld } from '../support/guarded.js'
import { program } from '../support/programs.js'

const [command, ...args] = program('stdio-server.ts')
const NAME = 'com.example/echo'
const folder = mkdtempSync(join(tmpdir(), 'countersign-guard-cli-'))
const home = join(folder, 'home')
let world: SignedWorld

beforeAll(async () => {
  world = await openWorld()
  const { server = '', ...surface } = await captureSurface({ name: NAME, command, args, env: {} })
  await world.publish({ server, ...surface })
  const { url, fingerprint } = world.registry
  const added = await runCli(['trust', 'add', url, '--fingerprint', fingerprint], { home })
  expect(added.code).toBe(0)
})
afterAll(async () => {
  await world.close()
  // A guard that a shell started may still end, and write.
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
})

const guard = (...words: string[]): string[] =>
  cliCommand('guard', '--home', home, '--server', NAME, '--agent', 'planner', ...words)

/** The guard as an HTTP server; where it listens, and the secret that it printed once. */
async function listen(
  ...words: string[]
): Promise<{ url: string; secret: string; stop(): Promise<number | null> }> {
  const [program_ = '', ...rest] = guard('--listen', '0', ...words)
  const child = spawn(program_, rest, { stdio: ['ignore', 'inherit', 'pipe'] })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const stop = (): Promise<number | null> => {
    child.kill('SIGTERM')
    return ended
  }
  onTestFinished(() => void stop())
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const found = (): RegExpExecArray | null => /listening on (\S+)[^]*Bearer (\S+)/.exec(said)
  await expect.poll(() => found()).not.toBeNull()
  const [, url = '', secret = ''] = found() ?? []
  return { url, secret, stop }
}

describe.each(['legacy', 'auto'] as const)('countersign guard, %s', (mode) => {
  const connect = async (transport: Parameters<Client['connect']>[0]): Promise<Client> => {
    const client = new Client({ name: 'host', version: '1.0.0' }, { versionNegotiation: { mode } })
    onTestFinished(() => client.close())
    await client.connect(transport)
    return client
  }
  const drive = async (client: Client): Promise<unknown> => {
    const { tools } = await client.listTools()
    const { content } = await client.callTool({ name: 'echo', arguments: {} })
    return [tools.map(({ name }) => name), content, client.getInstructions()]
  }
  const honest = [
    ['echo', 'large', 'turn'],
    [{ type: 'text', text: 'heard' }],
    'Say something and hear it again.',
  ]

  it('--listen before a command; --url before that; both show what was signed', async () => {
    const server = await listen('--', command, ...args)
    const { url, secret } = server
    const headers = { authorization: `Bearer ${secret}` }
    const direct = await connect(
      new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }),
    )
    expect(await drive(direct)).toEqual(honest)
    const tokenFile = join(folder, `token-${mode}`)
    writeFileSync(tokenFile, `${secret}\n`, { mode: 0o600 })
    const [program_ = '', ...rest] = guard('--url', url, '--server-token-file', tokenFile)
    const client = await connect(
      new StdioClientTransport({ command: program_, args: rest, stderr: 'ignore' }),
    )
    expect(await drive(client)).toEqual(honest)
    await client.close()
    await direct.close()
    expect(await server.stop()).toBe(143)
  })

  // What Node's own hosts start has sockets for pipes; shells, Python and Go give real ones.
  it('between the pipes of a shell', async () => {
    const words = ['-c', 'cat | "$@" | cat', 'sh', ...guard('--', command, ...args)]
    const client = await connect(
      new StdioClientTransport({ command: 'sh', args: words, stderr: 'ignore', env: process.env as never }),
    )
    expect(await drive(client)).toEqual(honest)
    // More than a pipe holds.
    const { content } = await client.callTool({ name: 'large', arguments: {} })
    expect(JSON.stringify(content).length).toBeGreaterThan(1024 * 1024)
    await client.close()
  })
})

it('wrote down who called what', () => {
  const file = join(home, 'records', 'calls.jsonl')
  const records = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
  expect(records).toContainEqual(expect.objectContaining({ kind: 'call', tool: 'echo', agent: 'planner' }))
  expect(statSync(file).mode & 0o077).toBe(0)
})

it.each([
  [['--listen', 'x', '--', 'true']],
  [['--listen', '70000', '--', 'true']],
  [['--secret-file', 'x', '--', 'true']],
  [['--server-token-file', 'x', '--', 'true']],
  [['--header', 'A: b', '--', 'true']],
  [['--url', 'https://example.com/mcp', '--', 'true']],
])('%j is not understood', async (words) => {
  expect((await runCli(['guard', ...words], { home })).code).toBe(2)
})
