import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatManifest } from 'countersign/core'
import { readKey } from 'countersign/node'
import { cliCommand, openDesk, runCli, type CliResult, type Desk } from '../support/cli.js'
import { openSeat, type Seat } from '../support/cli-inside.js'
import { rawServer, realServer } from '../support/cli-command.js'
import { sampleManifest, startRegistry } from '../support/registry.js'

let home: string
let seat: Seat
beforeAll(() => {
  seat = openSeat()
  home = seat.home
})
afterAll(() => seat.close())

/** In this process, as all that needs no input; the built program is run where streams and exits are what is tested. */
const run = (...args: string[]): Promise<CliResult> => seat.run(...args)
const runBuilt = (...args: string[]): Promise<CliResult> => runCli(args, { home })

function errorOf(result: CliResult): { code: string; message: string } {
  return result.json()['error'] as { code: string; message: string }
}

describe('usage', () => {
  it.concurrent.each([
    [['frobnicate']],
    [['--frobnicate']],
    [['status']],
    [['status', 'nonsense']],
    [['status', 'com.example/a@latest']],
    [['status', 'com.example/a']],
    [['keygen', 'surplus']],
    [['trust', 'add', 'not-a-url']],
    [['trust', 'add', 'http://127.0.0.1:1', '--fingerprint', 'sha256:12']],
    [['trust', 'show']],
    [['verify', 'com.example/a']],
    [['capture']],
    [['capture', '--url', 'ftp://example.com', '--server', 'com.example/a']],
    [['vouch', '--', 'true']],
    [['check', '--timeout', '0', '--', 'true']],
    [['guard']],
    [['guard', '--url', 'https://example.com']],
    [['key', 'add', 'nonsense']],
    [['key', 'revoke', 'com.example', 'short', '--reason', 'compromise']],
    [['admin', 'client', 'create', 'x', '--role', 'king']],
    [['completion', 'tcsh']],
    [['login']],
    [['login', '--registry', 'http://127.0.0.1:1', '--client-secret-file', 'x']],
    [['login', '--registry', 'http://127.0.0.1:1', '--device', '--one-time-password', 'x']],
    [
      [
        'login',
        '--registry',
        'http://127.0.0.1:1',
        '--client-id',
        'a',
        '--client-secret-file',
        'x',
        '--client-key-file',
        'y',
      ],
    ],
    [['namespace', 'claim', 'nonsense']],
    [['namespace', 'claim', 'com.example', '--proof', 'fax']],
    [['key', 'endorse', 'none.json']],
    [['withdraw', 'com.example/a@1.0.0']],
    [['diff', 'com.example/a@1.0.0']],
    [['diff', 'com.example/a', 'com.example/b']],
    [['admin', 'accounts', 'invite', 'king', '--registry', 'http://127.0.0.1:1']],
    [['admin', 'accounts', 'create', 'x', '--role', 'king', '--registry', 'http://127.0.0.1:1']],
    [['admin', 'pending', '--status', 'odd', '--registry', 'http://127.0.0.1:1']],
    [['admin', 'audit', '--limit', '0', '--registry', 'http://127.0.0.1:1']],
    [
      [
        'admin',
        'revoke',
        'com.example/a',
        '--server',
        '--tool',
        '--reason',
        'x',
        '--registry',
        'http://127.0.0.1:1',
      ],
    ],
    [['admin', 'revoke', 'nonsense', '--tool', '--reason', 'x', '--registry', 'http://127.0.0.1:1']],
    [
      [
        'admin',
        'reinstate',
        'com.example/a',
        '--server',
        '--reason',
        'x',
        '--registry',
        'http://127.0.0.1:1',
      ],
    ],
    [['login', '--registry', 'http://example.com', '--one-time-password', 'x']],
  ])('%j ends with 2 and one document that says why', async (args) => {
    const result = await run(...withJson(args))
    expect(result.code).toBe(2)
    expect(errorOf(result).code).toBe('usage')
  })

  it('says it in words without --json, on stderr alone', async () => {
    const result = await run('status', 'nonsense')
    expect(result.code).toBe(2)
    expect(result.stdout).toBe('')
    expect(result.stderr).toContain('namespace/name')
  })

  it('helps: every command, with examples', async () => {
    const { code, stdout } = await runBuilt('--help')
    expect(code).toBe(0)
    for (const name of ['keygen', 'vouch', 'check', 'guard', 'admin', 'log']) expect(stdout).toContain(name)
    expect((await runBuilt('vouch', '--help')).stdout).toContain('Example')
    const { version } = JSON.parse(
      readFileSync(new URL('../../client/package.json', import.meta.url), 'utf8'),
    ) as { version: string }
    expect((await runBuilt('--version')).stdout.trim()).toBe(version)
  })
})

describe('streams', () => {
  it('leaves a --json behind -- to the server: stdout stays free for the protocol', async () => {
    const result = await run('guard', '--', 'some-server', '--json')
    expect(result.code).toBe(2)
    expect(result.stdout).toBe('')
  })

  it('keeps its exit code when its reader went away', async () => {
    const [command = '', ...args] = cliCommand('verify', 'nonsense', '--json')
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    child.stdout.destroy()
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(2)
  })
})

/** `--json` goes before the `--` that ends the options. */
function withJson(args: readonly string[]): string[] {
  const at = args.indexOf('--')
  return at < 0 ? [...args, '--json'] : [...args.slice(0, at), '--json', ...args.slice(at)]
}

describe('exit codes', () => {
  it('4: the registry does not answer', async () => {
    const trusted = await run('trust', 'add', 'http://127.0.0.1:1', '--json')
    expect(trusted.code).toBe(4)
    expect(errorOf(trusted).code).toBe('registry-unreachable')
    const login = await run('login', '--registry', 'http://127.0.0.1:1', '--one-time-password', 'x', '--json')
    expect(login.code).toBe(4)
    expect((await run('login', '--registry', 'http://127.0.0.1:1', '--json')).code).toBe(4)
  })

  it('1: a file that is not there, a manifest that is none', async () => {
    expect((await run('lint', join(home, 'none.json'))).code).toBe(1)
    writeFileSync(join(home, 'wrong.json'), '{"format":"countersign/manifest/v1","format":"x"}')
    const result = await run('lint', join(home, 'wrong.json'), '--json')
    expect(result.code).toBe(1)
    expect(errorOf(result).code).toBe('json-duplicate-member')
  })

  it('1: an answer that is no registry’s', async () => {
    const server = createServer((_req, res) => res.end('<html>'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const result = await run('status', 'com.example/a', '--registry', url, '--json')
    expect(result.code).toBe(1)
    expect(errorOf(result).code).toBe('registry-error')
    server.close()
  })
})

describe('keygen', () => {
  it('makes a key that signs, prints only public things, and overwrites nothing', async () => {
    const file = join(home, 'one.pem')
    const made = await run('keygen', '--out', file, '--json')
    expect(made.code).toBe(0)
    const signer = await readKey(file)
    expect(made.json()).toMatchObject({
      kid: signer.kid,
      jwk: { kty: 'OKP', crv: 'Ed25519', kid: signer.kid },
    })
    const secret = readFileSync(file, 'utf8').split('\n')[1] ?? ''
    expect(made.stdout + made.stderr).not.toContain(secret.slice(-40))
    expect((await run('keygen', '--out', file)).code).toBe(1)
  })

  it('encrypts it with a passphrase from a file or stdin', async () => {
    const file = join(home, 'two.pem')
    const made = await runCli(['keygen', '--out', file, '--passphrase-file', '-', '--json'], {
      home,
      input: 'word\n',
    })
    expect(made.json()).toMatchObject({ encrypted: true })
    expect((await readKey(file, 'word')).kid).toBe(made.json()['kid'])
    await expect(readKey(file, 'other')).rejects.toThrow()
  })
})

describe('lint and sign', () => {
  const manifest = (change: object = {}): string => {
    const file = join(home, 'manifest.json')
    writeFileSync(
      file,
      formatManifest({ ...sampleManifest('registry-test', { server: 'com.example/a' }), ...change }),
    )
    return file
  }

  it('signs offline what it read from a file or stdin', async () => {
    const key = join(home, 'sign.pem')
    await run('keygen', '--out', key)
    const file = manifest()
    const signed = await run('sign', file, '--key', key, '--json')
    const again = await runCli(['sign', '-', '--key', key], { home, input: readFileSync(file, 'utf8') })
    expect(again.stdout.trim()).toBe(signed.json()['envelope'])
    expect(signed.json()).toMatchObject({
      server: 'com.example/a',
      version: '1.0.0',
      registry: 'registry-test',
    })
  })

  it('passes an honest manifest and refuses one that fetches its schema', async () => {
    expect((await run('lint', manifest())).code).toBe(0)
    const inputSchema = { type: 'object', properties: { a: { $ref: 'https://example.com/schema.json' } } }
    const tools = [{ definition: { name: 'a', inputSchema }, permissions: [] }]
    const result = await run('lint', manifest({ tools }), '--json')
    expect(result.code).toBe(3)
    expect(result.json()).toMatchObject({ refused: true })
  })
})

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('knows every command in %s', async (shell) => {
    const { code, stdout } = await runBuilt('completion', shell)
    expect(code).toBe(0)
    for (const word of [
      'keygen',
      'approve',
      'one-time-password',
      'endorse',
      'withdraw',
      'diff',
      'webhooks',
    ]) {
      expect(stdout).toContain(word)
    }
  })

  it('completes in a real bash', async () => {
    const { stdout } = await runBuilt('completion', 'bash')
    const ask = (words: string[]): string[] => {
      const line = `${stdout}\nCOMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _countersign; printf '%s\\n' "\${COMPREPLY[@]}"`
      return spawnSync('bash', ['-c', line], { encoding: 'utf8' }).stdout.trim().split('\n')
    }
    expect(ask(['countersign', 'key', 'rev'])).toEqual(['revoke'])
    expect(ask(['countersign', 'vou'])).toEqual(['vouch'])
    expect(ask(['countersign', 'admin', 'client', 'cr'])).toEqual(['create'])
    expect(ask(['countersign', 'admin', 'accounts', 'si'])).toEqual(['sign-out'])
    expect(ask(['countersign', 'admin', 'trusted-publishers', 'a'])).toEqual(['add'])
    expect(ask(['countersign', 'namespace', 'cl'])).toEqual(['claim'])
    expect(ask(['countersign', 'login', '--client-k'])).toEqual([
      '--client-key-file',
      '--client-key-passphrase-file',
    ])
    expect(ask(['countersign', 'sign', '--passph'])).toEqual(['--passphrase-file'])
  })
})

describe('trust', () => {
  it('refuses another fingerprint and says when nobody compared one', async () => {
    const registry = await startRegistry()
    const wrong = await run(
      'trust',
      'add',
      registry.url,
      '--fingerprint',
      `sha256:${'0'.repeat(64)}`,
      '--json',
    )
    expect(wrong.code).toBe(3)
    expect(errorOf(wrong).code).toBe('registry-mismatch')
    expect((await run('trust', 'show')).code).toBe(2)
    const first = await run('trust', 'add', registry.url)
    expect(first.stdout).toContain('first use')
    const shown = (await run('trust', 'show', '--json')).json()
    expect(shown).toMatchObject({
      fingerprint: registry.fingerprint,
      identity: registry.identity,
      witnesses: 0,
    })
    await registry.close()
  })
})

/** One address with one registry behind it, and later another. */
async function openAddress(first: string) {
  const behind = { url: first }
  const server = createServer((req, res) => {
    fetch(behind.url + (req.url ?? ''))
      .then(async (answer) => {
        res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' })
        res.end(Buffer.from(await answer.arrayBuffer()))
      })
      .catch(() => res.writeHead(502).end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { behind, url: `http://127.0.0.1:${port}`, close: () => server.close() }
}

describe('what is pinned already', () => {
  it('is not replaced by whatever answers now; a fingerprint replaces it, and the address goes with it', async () => {
    const [a, b] = await Promise.all([startRegistry(), startRegistry()])
    const address = await openAddress(a.url)
    expect((await run('trust', 'add', address.url)).code).toBe(0)
    expect((await run('trust', 'add', address.url)).code).toBe(0)
    address.behind.url = b.url
    const other = await run('trust', 'add', address.url, '--json')
    expect([other.code, errorOf(other).code]).toEqual([3, 'registry-mismatch'])
    expect((await run('trust', 'show', '--json')).json()).toMatchObject({ identity: a.identity })
    expect((await run('trust', 'add', address.url, '--fingerprint', b.fingerprint)).code).toBe(0)
    const shown = await run('trust', 'show', '--registry', address.url, '--json')
    expect(shown.json()).toMatchObject({ identity: b.identity })
    address.close()
    await Promise.all([a.close(), b.close()])
  })

  it('of two registries, the one that is spoken to is the one that is signed for', async () => {
    const [a, b] = await Promise.all([startRegistry(), startRegistry()])
    expect((await run('trust', 'add', a.url)).code).toBe(0)
    expect((await run('trust', 'add', b.url)).code).toBe(0)
    // As a login does: it says who is spoken to, and leaves the host's default alone.
    writeFileSync(join(home, 'config.json'), JSON.stringify({ registry: a.url }))
    const about = ['--server', 'internal.desk/raw', '--set-version', '1.0.0']
    const captured = await run('capture', ...about, '--', ...rawServer('plain'))
    expect(JSON.parse(captured.stdout)).toMatchObject({ registry: a.identity })
    expect((await run('trust', 'show', '--json')).json()).toMatchObject({ identity: b.identity })
    expect((await run('log', 'verify')).code).toBe(0)
    await Promise.all([a.close(), b.close()])
  })
})

describe('--out', () => {
  it('writes through what is no file, and leaves it what it was', async () => {
    const target = join(home, 'target.json')
    writeFileSync(target, '')
    symlinkSync(target, join(home, 'link.json'))
    const registry = await startRegistry()
    await run('trust', 'add', registry.url)
    const about = [
      '--server',
      'internal.desk/raw',
      '--set-version',
      '1.0.0',
      '--out',
      join(home, 'link.json'),
    ]
    expect((await run('capture', ...about, '--', ...rawServer('plain'))).code).toBe(0)
    expect(lstatSync(join(home, 'link.json')).isSymbolicLink()).toBe(true)
    expect(JSON.parse(readFileSync(target, 'utf8'))).toMatchObject({ server: 'internal.desk/raw' })
    await registry.close()
  })
})

describe('capture', () => {
  let desk: Desk
  beforeAll(async () => {
    desk = await openDesk()
  })
  afterAll(() => desk.close())

  it('writes the manifest to stdout and the talk to stderr', async () => {
    const server = ['--server', 'internal.desk/raw', '--set-version', '1.0.0']
    const result = await desk.run('capture', ...server, '--', ...rawServer('plain'))
    expect(result.code).toBe(0)
    expect(JSON.parse(result.stdout)).toMatchObject({ server: 'internal.desk/raw', role: 'publisher' })
    expect(result.stderr).toContain('captured')
  })

  it('fails when the surface changed without a new version', async () => {
    const file = join(desk.home, 'raw.json')
    const server = ['--server', 'internal.desk/raw', '--set-version', '1.0.0']
    await desk.ok('capture', ...server, '--out', file, '--', ...rawServer('plain'))
    expect((await desk.run('capture', '--check', file, '--', ...rawServer('plain'))).code).toBe(0)
    const changed = await desk.run('capture', '--json', '--check', file, '--', ...rawServer('facts'))
    expect(changed.code).toBe(3)
    expect((changed.json()['changes'] as { what: string }[]).map((one) => one.what).sort()).toEqual([
      'added',
      'added',
      'removed',
      'removed',
    ])
  })

  it('refuses a server that no client would take', async () => {
    const result = await desk.run(
      'vouch',
      '--json',
      '--as',
      'internal.desk/bad',
      '--',
      ...rawServer('no-type'),
    )
    expect(result.code).toBe(1)
    expect(errorOf(result).code).toBe('capture-failed')
  })

  it('waits for the decision when asked to', async () => {
    const memory = realServer('memory')
    const waiting = desk.run('vouch', '--wait', '--json', '--', ...memory)
    let items: unknown[] = []
    while (items.length === 0) items = (await desk.ok('admin', 'pending'))['items'] as unknown[]
    await desk.ok('admin', 'reject', 'internal.desk/server-memory', '--reason', 'not needed')
    const result = await waiting
    expect(result.code).toBe(3)
    expect(result.json()).toMatchObject({ status: 'rejected' })
  })

  it.each(['everything', 'memory'] as const)(
    'checks server-%s, found by package and by name',
    async (which) => {
      const name = `internal.desk/checked-${which}`
      await desk.ok('vouch', '--as', name, '--', ...realServer(which))
      await desk.ok('admin', 'approve', name)
      const byPackage = await desk.ok('check', '--', ...realServer(which))
      expect(byPackage).toMatchObject({ verdict: 'verified', server: name })
      const kinds = (byPackage['items'] as { kind: string }[]).map((item) => item.kind)
      if (which === 'everything')
        expect(new Set(kinds)).toEqual(new Set(['tool', 'instructions', 'prompt', 'template']))
      const byName = await desk.ok('check', '--server', name, '--', ...realServer(which))
      expect(byName['verdict']).toBe('verified')
      const other = await desk.run('check', '--server', name, '--', ...rawServer('plain'))
      expect(other.code).toBe(3)
    },
  )

  it('says what the gates refuse', async () => {
    const inputSchema = { type: 'object', properties: { a: { $ref: 'https://example.com/schema.json' } } }
    const tools = [{ definition: { name: 'a', inputSchema }, permissions: [] }]
    const manifest = sampleManifest(desk.registry.identity, { server: 'internal.desk/fetches', tools })
    const file = desk.file('fetches.json', Buffer.from(formatManifest(manifest)).toString('utf8'))
    const refused = await desk.run('publish', file, '--json')
    expect(refused.code).toBe(1)
    const { detail } = refused.json()['error'] as { detail: { status: number; findings: string[] } }
    expect(detail.status).toBe(422)
    expect(detail.findings.join()).toContain('/tools/0/definition/inputSchema')
  })

  it('gets a new token when the cached one is no good', async () => {
    const file = join(desk.home, 'credentials.json')
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Record<string, { token: { value: string } }>
    const entry = kept[desk.registry.url]!
    entry.token.value = `${entry.token.value.slice(0, -4)}AAAA`
    desk.file('credentials.json', JSON.stringify(kept))
    expect(await desk.ok('admin', 'pending')).toHaveProperty('items')
    chmodSync(file, 0o644)
    expect(errorOf(await desk.run('admin', 'pending', '--json')).code).toBe('io')
    chmodSync(file, 0o600)
  })

  it('ends in order when it is interrupted, with the server it started', async () => {
    const mark = join(desk.home, 'mark')
    const [command = '', ...args] = cliCommand(
      'capture',
      '--server',
      'internal.desk/a',
      '--',
      ...rawServer('marks', mark),
    )
    const child = spawn(command, args, {
      env: { ...process.env, COUNTERSIGN_HOME: desk.home },
      stdio: 'ignore',
    })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    while (!existsSync(mark) || readFileSync(mark, 'utf8') === '')
      await new Promise((resolve) => setTimeout(resolve, 50))
    child.kill('SIGINT')
    expect(await ended).toBe(130)
    expect(() => process.kill(Number(readFileSync(mark, 'utf8')), 0)).toThrow()
  })

  it('makes clients, whose scopes are all they can do', async () => {
    const file = join(desk.home, 'ci.txt')
    const made = await desk.ok('admin', 'client', 'create', 'ci', '--role', 'publisher', '--secret-out', file)
    expect(JSON.stringify(made)).not.toContain(readFileSync(file, 'utf8').trim())
    const ci = mkdtempSync(join(desk.home, 'ci-'))
    const registry = desk.registry.url
    const id = String(made['clientId'])
    const login = await runCli(['login', '--client-id', id, '--client-secret-file', file, '--json'], {
      home: ci,
      registry,
    })
    expect(login.json()).toMatchObject({ scopes: ['registry:publish', 'registry:read'] })
    const refused = await runCli(['admin', 'pending', '--json'], { home: ci, registry })
    expect(refused.code).toBe(1)
    expect(refused.json()).toMatchObject({ error: { code: 'registry-refused', detail: { status: 403 } } })
  })

  it('ends a key, and what it signs is refused', async () => {
    const { keys } = (await desk.ok('key', 'list', 'internal.desk')) as { keys: { kid: string }[] }
    const kid = keys[0]!.kid
    const ended = await desk.ok('key', 'revoke', 'internal.desk', kid, '--reason', 'superseded')
    expect(ended).toMatchObject({ kid, reason: 'superseded' })
    const verified = await desk.run('verify', 'internal.desk/checked-everything')
    expect(verified.code).toBe(0)
    const result = await desk.run('vouch', '--json', '--set-version', '9.9.9', '--', ...realServer('memory'))
    expect(result.code).toBe(1)
    expect(errorOf(result).code).toBe('registry-refused')
    expect(await desk.ok('log', 'verify')).toMatchObject({ ok: true, revocations: 1 })
  })
})
