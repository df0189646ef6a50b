import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cliCommand } from '../support/cli.js'
import { openSeat, trustRegistry, type Seat } from '../support/cli-inside.js'
import { rawServer } from '../support/cli-command.js'
import { serve } from '../support/mirror.js'
import {
  addPublisher,
  releaseSample,
  revokeManifest,
  sampleManifest,
  startRegistry,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'

const RAW = 'com.acme/raw'
const object = { type: 'object', properties: {} }
const tools = [
  { definition: { name: 'add', description: 'Adds two numbers.', inputSchema: object }, permissions: [] },
  {
    definition: { name: 'subtract', description: 'Subtracts two numbers.', inputSchema: object },
    permissions: [],
  },
]

let at: TestRegistry
let acme: Publisher
let first: string
/** Somebody who runs mirrors, and somebody who knows a mirror alone. */
let operator: Seat
let user: Seat
let out: string
let url: string

const release = (version: string): Promise<string> => releaseSample(at, acme, { server: RAW, version, tools })

beforeAll(async () => {
  at = await startRegistry()
  acme = await addPublisher(at, 'com.acme')
  first = await release('1.0.0')
  operator = openSeat()
  user = openSeat()
  out = mkdtempSync(join(tmpdir(), 'countersign-cli-mirror-'))
  url = pathToFileURL(out).href
  await trustRegistry(operator, at)
})

afterAll(async () => {
  operator.close()
  user.close()
  rmSync(out, { recursive: true, force: true })
  await at.close()
})

describe('countersign mirror', () => {
  it('says what it did, as a document and as text', async () => {
    const done = await operator.ok('mirror', '--out', out)
    expect(done).toMatchObject({ identity: at.identity, servers: 1, versions: 1, bundles: 1, leftOut: [] })
    expect(done['size']).toBe(at.registry.ledger.committed().size)
    const again = await operator.run('mirror', '--out', out)
    expect([again.code, again.stdout.includes('mirrored')]).toEqual([0, true])
    expect((await operator.ok('mirror', '--out', out))['requests']).toBe(2)
  })

  it('refuses what it cannot use', async () => {
    const full = mkdtempSync(join(tmpdir(), 'countersign-full-'))
    writeFileSync(join(full, 'thesis.tex'), '')
    expect(await operator.fails('mirror', '--out', full)).toMatchObject({ exit: 2, code: 'usage' })
    expect(readdirSync(full)).toEqual(['thesis.tex'])
    expect(await operator.fails('mirror')).toMatchObject({ exit: 2, code: 'usage' })
    expect(await operator.fails('mirror', '--out', out, '--every', '0')).toMatchObject({ exit: 2 })
    expect(await operator.fails('mirror', '--out', out, '--server', 'nonsense')).toMatchObject({ exit: 2 })
    expect(await openSeatless('mirror', '--out', full)).toMatchObject({ exit: 2, code: 'usage' })
    // A refusal leaves no lock behind: the next line would find it.
    const gone = ['--registry', 'http://127.0.0.1:9']
    expect(await operator.fails('mirror', '--out', out, ...gone)).toMatchObject({ exit: 4 })
    rmSync(full, { recursive: true })
  })

  async function openSeatless(...args: readonly string[]) {
    const seat = openSeat()
    try {
      return await seat.fails(...args)
    } finally {
      seat.close()
    }
  }

  it('ends with 3 when something is left out', async () => {
    const some = mkdtempSync(join(tmpdir(), 'countersign-some-'))
    const result = await operator.run('mirror', '--out', some, '--server', 'com.acme/none', '--json')
    expect([result.code, result.json()['leftOut']]).toMatchObject([3, [{ code: 'unknown-server' }]])
    rmSync(some, { recursive: true })
  })
})

describe('a folder that cannot be written', () => {
  it('is an error of the file system, and says which', async () => {
    const file = join(operator.home, 'no-folder')
    writeFileSync(file, '')
    for (const path of [file, join(file, 'below')]) {
      const failure = await operator.fails('mirror', '--out', path)
      expect(failure).toMatchObject({ exit: 1, code: 'io' })
      expect(failure.detail['file']).toBe(path)
    }
  })
})

describe('countersign mirror --every', () => {
  it('ends when another run took its folder over', async () => {
    const taken = mkdtempSync(join(tmpdir(), 'countersign-taken-'))
    const lock = join(taken, '.mirror.lock')
    const steal = (): void => writeFileSync(lock, JSON.stringify({ pid: process.pid, host: 'elsewhere' }))
    // The lock is stolen while the first run still asks the registry.
    const seat = openSeat({ onSaid: () => undefined })
    await trustRegistry(seat, at)
    const web = await serve((request, response) => {
      if (request.url === '/v1/status') steal()
      void fetch(at.url + (request.url ?? '')).then(async (reply) =>
        response.writeHead(reply.status).end(Buffer.from(await reply.arrayBuffer())),
      )
    })
    const line = ['mirror', '--out', taken, '--every', '3600', '--registry', web.url]
    expect(await seat.fails(...line)).toMatchObject({ exit: 1, code: 'io', detail: { reason: 'locked' } })
    // The other run's lock is left to it.
    expect(readFileSync(lock, 'utf8')).toContain('elsewhere')
    web.close()
    seat.close()
    rmSync(taken, { recursive: true })
  })

  it('is one at a time; what is killed is taken over, what is ended ends in order', async () => {
    const first = await startMirror()
    expect(await operator.fails('mirror', '--out', out)).toMatchObject({ exit: 1, code: 'io' })
    first.child.kill('SIGKILL')
    await first.ended
    const second = await startMirror()
    second.child.kill('SIGTERM')
    expect(await second.ended).toBe(130)
    await operator.ok('mirror', '--out', out)
  })

  /** Resolves when its first run is over. */
  async function startMirror() {
    const [command = '', ...args] = cliCommand(
      'mirror',
      '--out',
      out,
      '--every',
      '3600',
      '--home',
      operator.home,
    )
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise((resolve) => child.on('close', resolve))
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve())
      void ended.then(() => reject(new Error('it ended')))
    })
    return { child, ended }
  }
})

describe('the commands of a host over file://', () => {
  it('trust add, status, show, verify', async () => {
    const added = await user.ok('trust', 'add', url, '--fingerprint', at.fingerprint)
    expect(added).toMatchObject({ identity: at.identity, registry: url.replace(/\/$/, '') })
    expect(await user.ok('status', RAW)).toMatchObject({
      versions: [{ version: '1.0.0', manifest: first, status: 'approved' }],
    })
    expect(await user.ok('verify', RAW)).toMatchObject({ verdict: 'verified', manifest: first })
    expect(await user.ok('show', `${RAW}@1.0.0`)).toMatchObject({ manifest: first })
    expect(await user.fails('verify', 'com.acme/none')).toMatchObject({ code: 'unknown-server' })
  })

  it('check starts the real server and lets through what was signed', async () => {
    const good = await user.run('check', '--json', '--server', RAW, '--', ...rawServer('plain'))
    expect([good.code, good.json()]).toMatchObject([0, { verdict: 'verified', server: RAW }])
    const bad = await user.run('check', '--json', '--server', RAW, '--', ...rawServer('random'))
    expect(bad.code).toBe(3)
  })

  it('guard lets a real client list what was signed', async () => {
    const guard = ['guard', '--server', RAW, '--registry', url, '--', ...rawServer('plain')]
    const [command = '', ...args] = cliCommand(...guard)
    const env = { PATH: process.env['PATH'] ?? '', COUNTERSIGN_HOME: user.home }
    const client = new Client({ name: 'test', version: '1.0.0' })
    await client.connect(new StdioClientTransport({ command, args, env, stderr: 'ignore' }))
    const { tools: listed } = await client.listTools()
    await client.close()
    expect(listed.map(({ name }) => name)).toEqual(['add', 'subtract'])
  })

  it('diff compares what the mirror proves with a file', async () => {
    const next = sampleManifest(at.identity, { server: RAW, version: '2.0.0', tools: tools.slice(0, 1) })
    const file = join(user.home, 'next.json')
    writeFileSync(file, JSON.stringify(next))
    const compared = await user.ok('diff', `${RAW}@1.0.0`, file)
    expect(compared).toMatchObject({ from: { version: '1.0.0', source: 'verified' }, to: { source: 'file' } })
    expect(await user.fails('diff', `${RAW}@9.9.9`, file)).toMatchObject({ exit: 3, code: 'unknown-server' })
  })

  it('bundle packs for machines without network, with the proofs they need', async () => {
    const file = join(user.home, 'raw.bundle')
    const packed = await user.ok('bundle', RAW, '--out', file, '--since', '3')
    expect(packed).toMatchObject({
      server: RAW,
      version: '1.0.0',
      manifest: first,
      offlineMaxSeconds: 604_800,
    })
    const offline = JSON.parse(readFileSync(file, 'utf8')) as {
      consistency: { from: number }[]
      status: string
    }
    expect(offline.consistency.map(({ from }) => from)).toContain(3)
    expect(offline.status).toBe(readFileSync(join(out, 'v1/status'), 'utf8'))
    expect(await user.ok('verify', file, '--offline')).toMatchObject({ verdict: 'verified', manifest: first })
    expect(await user.fails('bundle', RAW, '--since', 'nonsense')).toMatchObject({ exit: 2 })
  })

  it('log verify audits the whole copy, and finds what hosts do not read', async () => {
    expect(await user.ok('log', 'verify')).toMatchObject({ ok: true, lies: [] })
    const { size } = at.registry.ledger.committed()
    for (const path of [`log/tile/entries/000.p/${size}`, `log/tile/0/000.p/${size}`, 'log/checkpoint']) {
      const bytes = readFileSync(join(out, path))
      const changed = Buffer.from(bytes)
      changed[40] = (changed[40] ?? 0) ^ 1
      writeFileSync(join(out, path), changed)
      expect((await user.run('log', 'verify', '--json')).code, path).toBe(3)
      writeFileSync(join(out, path), bytes)
    }
  })

  it('what only a registry can do is refused', async () => {
    expect(await user.fails('login', '--one-time-password', 'x')).toMatchObject({ exit: 2, code: 'usage' })
    expect(await user.fails('trust', 'add', 'file://host/share')).toMatchObject({ exit: 2 })
    expect(await user.fails('trust', 'add', 'ftp://example.com')).toMatchObject({ exit: 2 })
  })

  it('a revocation gets there with the next run, and a mirror that stands still gets stale', async () => {
    await revokeManifest(at.admin, first)
    expect(await user.ok('verify', `${RAW}@1.0.0`)).toMatchObject({ verdict: 'verified' })
    await operator.ok('mirror', '--out', out)
    expect(await user.fails('verify', `${RAW}@1.0.0`)).toMatchObject({ exit: 3, code: 'revoked' })
    const next = await release('1.1.0')
    await operator.ok('mirror', '--out', out)
    expect(await user.ok('verify', RAW)).toMatchObject({ manifest: next })
  })
})
