import { mkdtempSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cliCommand, openDesk, runCli, type CliResult, type Desk } from '../support/cli.js'
import { realServer, script } from '../support/cli-command.js'

let desk: Desk
beforeAll(async () => {
  desk = await openDesk()
})
afterAll(() => desk.close())

interface Item {
  readonly kind: string
  readonly name: string
  readonly verdict: string
}

const filesystem = realServer('filesystem', '.')
const name = 'internal.desk/server-filesystem'

describe('the journey of one person', () => {
  it('keeps secrets to itself', () => {
    for (const secret of ['credentials.json', 'key.pem', 'config.json']) {
      expect(statSync(join(desk.home, secret)).mode & 0o777).toBe(0o600)
    }
  })

  it('knows who it is', async () => {
    const who = await desk.ok('whoami')
    expect(who['clientId']).toBe(desk.registry.admin.client.clientId)
    expect(who['scopes']).toContain('registry:review')
    const { clientSecret } = desk.registry.admin.client
    expect(JSON.stringify(who)).not.toContain(clientSecret)
  })

  it('vouches for a real server, which waits', async () => {
    const said = await desk.ok('vouch', '--', ...filesystem)
    expect(said).toMatchObject({ server: name, version: '2026.8.31', status: 'pending' })
    const { items } = await desk.ok('admin', 'pending')
    expect(items).toHaveLength(1)
    expect((await desk.run('verify', name)).code).toBe(3)
    expect((await desk.run('check', '--', ...filesystem)).code).toBe(3)
  })

  it('gives the same answer for the same bytes', async () => {
    const out = join(desk.home, 'manifest.json')
    const envelope = join(desk.home, 'manifest.jws')
    await desk.ok('capture', '--voucher', '--out', out, '--', ...filesystem)
    await desk.ok('sign', out, '--out', envelope)
    expect(await desk.ok('publish', envelope)).toMatchObject({ status: 'pending', server: name })
    expect(await desk.ok('publish', out)).toMatchObject({ status: 'pending', server: name })
  })

  it('shows what will be approved, and approves it', async () => {
    const shown = await desk.ok('admin', 'show', name)
    const approved = await desk.ok('admin', 'approve', `${name}@2026.8.31`)
    expect(approved['manifest']).toBe(shown['manifest'])
    expect(await desk.ok('status', name)).toMatchObject({
      versions: [{ version: '2026.8.31', status: 'approved' }],
    })
    expect((await desk.run('admin', 'approve', `${name}@2026.8.31`)).code).toBe(1)
  })

  it('verifies it with every step', async () => {
    const verified = await desk.ok('verify', name)
    expect(verified).toMatchObject({
      verdict: 'verified',
      role: 'voucher',
      independentWitnesses: 0,
      soleDecider: true,
    })
    const steps = (verified['steps'] as { step: number }[]).map((one) => one.step)
    expect(steps).toEqual(expect.arrayContaining([1, 2, 3, 5, 6, 7]))
    expect((await desk.run('trust', 'show')).stdout).toContain(
      'this registry could show different hosts different histories',
    )
  })

  it('checks the running server, found by its package', async () => {
    const checked = await desk.ok('check', '--', ...filesystem)
    expect(checked).toMatchObject({ verdict: 'verified', server: name })
    const items = checked['items'] as Item[]
    expect(items.length).toBeGreaterThan(10)
    expect(new Set(items.map((item) => item.verdict))).toEqual(new Set(['verified']))
  })

  it('refuses a description that differs by one character, and only that tool', async () => {
    const changed = script('cli-change.ts', 'read_text_file', ...filesystem)
    const result = await desk.run('check', '--json', '--server', name, '--', ...changed)
    expect(result.code).toBe(3)
    const bad = (result.json()['items'] as Item[]).filter((item) => item.verdict !== 'verified')
    expect(bad.map(({ kind, name: tool, verdict }) => ({ kind, tool, verdict }))).toEqual([
      { kind: 'tool', tool: 'read_text_file', verdict: 'definition-changed' },
    ])
  })

  it('guards it: a real client lists and calls through the guard', async () => {
    const [command = '', ...args] = cliCommand('guard', '--', ...filesystem)
    const transport = new StdioClientTransport({
      command,
      args,
      env: { PATH: process.env['PATH'] ?? '', COUNTERSIGN_HOME: desk.home },
      stderr: 'pipe',
    })
    const client = new Client({ name: 'test', version: '1.0.0' })
    await client.connect(transport)
    const { tools } = await client.listTools()
    expect(tools.length).toBeGreaterThan(10)
    const { content } = await client.callTool({ name: 'list_allowed_directories', arguments: {} })
    expect(JSON.stringify(content)).toContain('Allowed directories')
    await client.close()
  })

  it('takes the evidence along', async () => {
    const file = join(desk.home, 'bundle.json')
    const said = await desk.ok('bundle', name, '--out', file)
    expect(said).toMatchObject({ server: name, out: file })
    const elsewhere = async (path: string): Promise<CliResult> => {
      const home = mkdtempSync(join(desk.home, 'other-'))
      await runCli(['trust', 'add', desk.registry.url], { home })
      return runCli(['verify', path, '--offline', '--json'], { home, registry: 'http://127.0.0.1:1' })
    }
    const verified = await elsewhere(file)
    expect(verified.code).toBe(0)
    expect(verified.json()).toMatchObject({ verdict: 'verified', manifest: said['manifest'] })
    const bent = readFileSync(file, 'utf8').replaceAll('approve', 'approwe')
    expect((await elsewhere(desk.file('bent.json', bent))).code).toBe(3)
  })

  it('audits the log', async () => {
    const audit = await desk.ok('log', 'verify')
    expect(audit).toMatchObject({
      ok: true,
      lies: [],
      events: { root: 1, namespace: 1, publish: 1, approve: 1 },
    })
  })

  it('revokes it, and refuses it from then on', async () => {
    await desk.ok('admin', 'revoke', name, '--reason', 'the journey is over')
    const verified = await desk.run('verify', name, '--json')
    expect(verified.code).toBe(3)
    expect(verified.json()).toMatchObject({ error: { code: 'revoked' } })
    expect((await desk.run('check', '--', ...filesystem)).code).toBe(3)
    expect(await desk.ok('log', 'verify')).toMatchObject({ ok: true, revocations: 1 })
  })

  it('logs out', async () => {
    expect(await desk.ok('logout')).toMatchObject({ forgotten: true })
    expect(await desk.ok('logout')).toMatchObject({ forgotten: false })
    const result = await desk.run('whoami', '--json')
    expect(result.code).toBe(1)
    expect(result.json()).toMatchObject({ error: { code: 'not-logged-in' } })
  })
})
