import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { BENIGN_TOOLS } from '../support/benign.js'
import { cliCommand } from '../support/cli.js'
import { logInAs, openSeat, trustRegistry, type Seat } from '../support/cli-inside.js'
import { connectV2, signedTools, WEATHER } from '../support/guarded.js'
import { hostileServer, toolPages, type HostileServer } from '../support/hostile.js'
import {
  addPublisher,
  callerOf,
  releaseSample,
  startRegistry,
  type TestRegistry,
} from '../support/registry.js'

// The guard as hosts start it, at a registry whose API is read by whom it knows.

let at: TestRegistry
let seat: Seat
let folder: string

beforeAll(async () => {
  at = await startRegistry({ config: { privacy: 'reads' } })
  folder = mkdtempSync(join(tmpdir(), 'countersign-private-guard-'))
  const publisher = await addPublisher(at, 'com.example')
  await releaseSample(at, publisher, { server: WEATHER, tools: signedTools() })
  // Trust was pinned with a login, and that login has ended: of this person's there is nothing to send.
  seat = openSeat({ registry: at.url })
  await logInAs(seat, at, at.admin.client.clientId, at.admin.client.clientSecret)
  await trustRegistry(seat, at)
  await seat.ok('logout')
})
afterAll(async () => {
  seat.close()
  rmSync(folder, { recursive: true, force: true })
  await at.close()
})

/** A client at the guard, all that the guard said to people, and the server behind it. */
interface Guarded extends Awaited<ReturnType<typeof connectV2>> {
  readonly server: HostileServer
  readonly said: () => string
}

async function startGuard(...options: readonly string[]): Promise<Guarded> {
  const server = hostileServer(toolPages(BENIGN_TOOLS))
  const behind = ['--server', WEATHER, '--', server.command, ...server.args]
  const [command = '', ...args] = cliCommand('guard', ...options, ...behind)
  const transport = new StdioClientTransport({
    ...{ command, args, stderr: 'pipe' },
    env: { PATH: process.env['PATH'] ?? '', COUNTERSIGN_HOME: seat.home, COUNTERSIGN_REGISTRY: at.url },
  })
  let said = ''
  transport.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const client = await connectV2(transport)
  onTestFinished(() => client.close())
  return { ...client, server, said: () => said }
}

let written = 0
function tokenFile(token: string): string {
  const file = join(folder, `token-${++written}`)
  writeFileSync(file, `${token}\n`, { mode: 0o600 })
  return file
}

/** What it said must come: what it writes is on its way when a client has its answer. */
async function heard(guarded: Guarded, words: string): Promise<void> {
  await expect.poll(guarded.said, { timeout: 30_000 }).toContain(words)
}

const NAMES = BENIGN_TOOLS.map(({ name }) => name as string)
const CALL = ['get_forecast', { city: 'Oslo' }] as const

describe('the guard at a private registry', () => {
  it('verifies with the token of a file, and never says it', async () => {
    const token = await callerOf(at.url, at.admin.client, 'registry:read').token()
    const guarded = await startGuard('--token-file', tokenFile(token))
    expect((await guarded.toolNames()).sort()).toEqual([...NAMES].sort())
    expect(await guarded.call(...CALL)).toBe('done')
    expect(guarded.server.called()).toEqual(['get_forecast'])
    await heard(guarded, `tools: verified (${WEATHER}@1.0.0, enforce`)
    expect(guarded.said()).not.toContain(token)
  })

  it.each([
    ['without one', () => []],
    ['with one that the registry never gave', () => ['--token-file', tokenFile('not-a-token')]],
  ])('withholds everything %s', async (_, options) => {
    const guarded = await startGuard(...options())
    expect(await guarded.toolNames()).toEqual([])
    expect(await guarded.call(...CALL)).toBe(-32602)
    expect(guarded.server.called()).toEqual([])
    await heard(guarded, 'registry-unreachable')
    expect(guarded.said()).not.toContain('tools: verified')
  })

  it('does not start with a file that is not there', async () => {
    const options = ['--json', '--token-file', join(folder, 'nowhere')]
    const result = await seat.run('guard', ...options, '--server', WEATHER, '--', process.execPath)
    expect(result.code).not.toBe(0)
    expect(result.json()).toMatchObject({ error: { code: 'io' } })
  })
})
