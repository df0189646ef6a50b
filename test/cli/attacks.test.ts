import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { formatManifest, manifestDigest } from 'countersign/core'
import type { Context } from '../../client/src/cli/context.js'
import { fileKeeper } from '../../client/src/cli/login/credentials.js'
import type { Credentials } from '../../client/src/cli/login/credentials-shape.js'
import { shellWord } from '../../client/src/cli/escape.js'
import { formatRequest, readRequest } from '../../client/src/cli/keys/request.js'
import { openOutput, type Streams } from '../../client/src/cli/output.js'
import { Secret } from '../../client/src/cli/login/secret.js'
import { cliCommand, runCli } from '../support/cli.js'
import { openSeat, trustRegistry, type Seat } from '../support/cli-inside.js'
import {
  newKey,
  sampleManifest,
  signManifest,
  startRegistry,
  type TestRegistry,
} from '../support/registry.js'

/** A registry that answers whatever it likes, for a person who is logged in there. */
let server: Server
let url: string
let answer: (method: string, path: string) => unknown
let posted: number
let honest: TestRegistry
let seat: Seat
beforeAll(async () => {
  honest = await startRegistry()
  server = createServer((req, res) => {
    if (req.method === 'POST') posted++
    const body = JSON.stringify(answer(req.method ?? '', req.url ?? '') ?? {})
    res.writeHead(200, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  seat = openSeat({ registry: url })
  await trustRegistry(seat, honest)
  const token = { value: 't', type: 'Bearer', expiresAt: Date.now() + 3_600_000, scope: '' }
  const login = { kind: 'secret', clientId: 'c', clientSecret: 's', token }
  writeFileSync(join(seat.home, 'credentials.json'), JSON.stringify({ [url]: login }), { mode: 0o600 })
  await seat.ok('keygen')
})
afterAll(async () => {
  server.close()
  seat.close()
  await honest.close()
})
beforeEach(() => {
  posted = 0
})

describe('a name is what was signed under it', () => {
  const manifest = sampleManifest('registry-test', { server: 'com.evil/weather' })
  const digest = manifestDigest(formatManifest(manifest))
  const review = { manifest: digest, envelope: signManifest(manifest, newKey()), index: 3, last: 4 }
  const versions = [{ version: '1.0.0', manifest: digest, status: 'pending', role: 'publisher' }]

  it.each(['approve', 'show'])('admin %s refuses another server’s manifest', async (verb) => {
    answer = (_method, path) => (path.startsWith('/v1/servers/') ? { versions } : review)
    const failure = await seat.fails('admin', verb, 'com.example/weather@1.0.0')
    expect([failure.exit, failure.code, posted]).toEqual([1, 'registry-error', 0])
  })

  it('admin approve and show take the one that was asked for', async () => {
    answer = (method, path) =>
      path.startsWith('/v1/servers/') ? { versions } : method === 'POST' ? { index: 5 } : review
    const name = `com.evil/weather@${manifest.version}`
    versions[0] = { ...versions[0]!, version: manifest.version }
    expect(await seat.ok('admin', 'approve', name)).toMatchObject({ manifest: digest, index: 5 })
    expect(await seat.ok('admin', 'show', name)).toMatchObject({ manifest: digest })
  })

  it('admin revoke by a bare name finds what hosts take, deprecated or not', async () => {
    const rows = [{ ...versions[0]!, status: 'deprecated' }]
    answer = (method, path) =>
      path.startsWith('/v1/servers/') ? { versions: rows } : method === 'POST' ? { index: 6 } : review
    const revoked = await seat.ok('admin', 'revoke', 'com.evil/weather', '--reason', 'x', '--yes')
    expect(revoked).toMatchObject({ manifest: digest, index: 6 })
  })
})

describe('a claim proves nothing for anybody else', () => {
  const challenge = (records: readonly object[]): object => ({
    ...{ audience: honest.identity, account: 'u-me', challenge: 'c', expires: 'soon' },
    records,
  })
  const kid = 'k'.repeat(43)

  it.each<[string, readonly string[], () => string]>([
    ['another key', [], () => `v=countersign1; registry=${honest.identity}; account=u-me; kid=${kid}`],
    ['another registry', [], () => `v=countersign1; registry=registry-other; account=u-me; kid=${kid}`],
    ['a key that proves it elsewhere', [], () => `v=MCPv1; k=ed25519; p=${'A'.repeat(43)}=`],
    ['a token for somebody else', ['--proof', 'oidc'], () => 'https://other.example'],
    ['a token for another challenge', ['--proof', 'oidc'], () => `countersign:${honest.identity}:d`],
  ])('%s is not shown as what to put there', async (_what, more, value) => {
    answer = () => challenge([{ type: 'TXT', at: 'example.com', value: value() }])
    const name = more.length === 0 ? 'com.example' : 'io.github.example'
    const failure = await seat.fails('namespace', 'claim', name, ...more)
    expect([failure.exit, failure.code]).toEqual([1, 'registry-error'])
  })

  it('its own is', async () => {
    answer = () => challenge([{ type: 'audience', at: 'x', value: `countersign:${honest.identity}:c` }])
    expect(await seat.ok('namespace', 'claim', 'io.github.example')).toMatchObject({ challenge: 'c' })
  })
})

describe('files', () => {
  it.runIf(process.platform !== 'win32')('that never end are read no further than they may be', async () => {
    const result = await seat.fails('lint', '/dev/zero')
    expect([result.exit, result.code]).toEqual([1, 'input-too-large'])
  })

  it('that are damaged are not quoted: they hold secrets', async () => {
    const other = openSeat({ registry: 'http://127.0.0.1:1' })
    writeFileSync(join(other.home, 'credentials.json'), '{"a":"zwzwzw"x}', { mode: 0o600 })
    const { code, stderr } = await other.run('whoami')
    expect(code).toBe(1)
    // It names the file, whose folder has random letters in its name.
    expect(stderr).toContain(other.home)
    expect(stderr.replaceAll(other.home, '')).not.toContain('zw')
    other.close()
  })

  it('of logins: a link is replaced and what it points at stays', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign home with spaces '))
    const elsewhere = join(folder, 'elsewhere')
    writeFileSync(elsewhere, '{}', { mode: 0o600 })
    symlinkSync(elsewhere, join(folder, 'credentials.json'))
    const keeper = keeperOf(folder)
    await keeper.change(() => Promise.resolve(LOGIN))
    expect([readFileSync(elsewhere, 'utf8'), keeper.read()?.clientId]).toEqual(['{}', 'c'])
    rmSync(folder, { recursive: true })
  })
})

const LOGIN: Credentials = { kind: 'secret', clientId: 'c', secret: new Secret('s') }

function keeperOf(home: string, signal = new AbortController().signal) {
  return fileKeeper({ home, signal } as Context, 'https://registry.example.com')
}

describe('one writer of logins at a time', () => {
  let home: string
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'countersign-home-'))
    return () => rmSync(home, { recursive: true, force: true })
  })

  it('whoever lost the lock meanwhile replaces nothing', async () => {
    await keeperOf(home).change(() => Promise.resolve(LOGIN))
    const late = keeperOf(home).change(() => {
      rmSync(join(home, 'credentials.json.lock'))
      return Promise.resolve(undefined)
    })
    await expect(late).rejects.toMatchObject({ code: 'memory-locked' })
    expect(keeperOf(home).read()?.clientId).toBe('c')
  })

  it('waiting for it ends with the command', async () => {
    const ended = new AbortController()
    await keeperOf(home).change(async () => {
      // Starts while the lock is held, so it cannot but wait.
      const second = keeperOf(home, ended.signal).change(() => Promise.resolve(undefined))
      const outcome = expect(second).rejects.toThrow('Ctrl-C')
      setTimeout(() => {
        ended.abort(new Error('Ctrl-C'))
      }, 20)
      await outcome
      return LOGIN
    })
    expect(keeperOf(home).read()?.clientId).toBe('c')
  })
})

describe('a person who ends it', () => {
  it.runIf(process.platform !== 'win32')('while it reads from them', async () => {
    const [command = '', ...args] = cliCommand(
      ...['login', '--registry', url, '--client-id', 'c', '--client-secret-file', '-'],
    )
    answer = () => ({ resource: url, authorization_servers: [url], issuer: url, token_endpoint: `${url}/t` })
    const child = spawn(command, args, {
      env: { ...process.env, COUNTERSIGN_HOME: seat.home },
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
    const again = setInterval(() => child.kill('SIGINT'), 1000)
    expect(['SIGINT', 130]).toContain(await ended)
    clearInterval(again)
  })
})

describe('what is shown', () => {
  it('a document at a terminal is shown and not obeyed; elsewhere it is its bytes', () => {
    const bytes = '"a\u009b31m\u202eb"\n'
    const write = (isTTY: boolean): string => {
      const out: unknown[] = []
      const stream = { isTTY, write: (data: unknown) => out.push(data) }
      const streams = { stdout: stream, stderr: stream } as unknown as Streams
      openOutput({ json: false, streams, env: {} }).bytes(bytes)
      return out.join('')
    }
    expect(write(false)).toBe(bytes)
    expect(write(true)).toBe('"a\\u{009B}31m\\u{202E}b"\n')
  })

  it('a command to copy is one that runs nothing else', async () => {
    expect(shellWord('wh-12_3.json')).toBe('wh-12_3.json')
    expect(shellWord('a b')).toBe(`'a b'`)
    expect(shellWord(`x'; rm -rf ~`)).toBe(`'x'\\''; rm -rf ~'`)
    answer = () => ({ id: 'x; touch evil' })
    const { stdout } = await seat.run('admin', 'webhooks', 'add', 'https://a.example')
    expect(stdout).toContain(`test 'x; touch evil'`)
  })

  it('a key request is signed as it reads: a key that is not its kid’s is refused', () => {
    const file = join(seat.home, 'request.json')
    const key = { x: 'A'.repeat(43), kid: 'k'.repeat(43) }
    const event = { v: 1, t: 'key.add', namespace: 'com.example', role: 'own', after: 1, ...key } as const
    writeFileSync(file, formatRequest({ registry: 'registry-test', event, sigs: [] } as never))
    expect(() => readRequest(file)).toThrow(expect.objectContaining({ code: 'usage' }) as Error)
  })
})

describe('a workflow’s request token', () => {
  it.each([
    ['plain HTTP to another machine', 'http://actions.example/token'],
    ['no web address', 'file:///etc/passwd'],
  ])('is not sent to %s', async (_what, to) => {
    answer = () => ({ resource: url, authorization_servers: [url], issuer: url, token_endpoint: `${url}/t` })
    const env = { ACTIONS_ID_TOKEN_REQUEST_URL: to, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'hunter2' }
    const home = mkdtempSync(join(tmpdir(), 'countersign-home-'))
    const { code, stdout, stderr } = await runCli(['login', '--json'], { home, registry: url, env })
    expect([code, (stdout + stderr).includes('hunter2')]).toEqual([2, false])
    rmSync(home, { recursive: true })
  })
})
