import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeRootKey } from '../../src/registry/root/key.js'
import { bootstrap, callerOf, send } from '../support/registry.js'

const BIN = fileURLToPath(new URL('../../bin/countersign-registry.js', import.meta.url))

let dir: string
let runs: Run[]
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-main-'))
  runs = []
})
afterEach(async () => {
  for (const { child } of runs) child.kill('SIGKILL')
  // Whoever still writes into the folder keeps it from being removed.
  for (const { exit } of runs) await exit
  await rm(dir, { recursive: true, force: true })
})

interface Run {
  readonly child: ChildProcess
  readonly out: () => string
  readonly err: () => string
  readonly exit: Promise<number | null>
}

/** The built program in a folder of its own, as `npm start` runs it. */
function run(args: readonly string[], env: Record<string, string> = {}): Run {
  const { PATH = '' } = process.env
  const settings = { PATH, XDG_STATE_HOME: join(dir, 'state'), COUNTERSIGN_LISTEN: '127.0.0.1:0', ...env }
  const child = spawn(process.execPath, [BIN, ...args], { cwd: dir, env: settings })
  const text = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (text.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text.err += chunk.toString()))
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve))
  const one = { child, out: () => text.out, err: () => text.err, exit }
  runs.push(one)
  return one
}

/** Waits for its greeting; fails with what it said when it ends before. */
async function served(one: Run): Promise<{ url: string; identity: string; password?: string }> {
  const ended = one.exit.then(() => {
    throw new Error(`it ended: ${one.out()} ${one.err()}`)
  })
  const said = (async () => {
    for (;;) {
      const [url, identity] = ['url', 'identity'].map(
        (name) => new RegExp(`${name} +(\\S+)`).exec(one.out())?.[1],
      )
      if (url !== undefined && identity !== undefined && /data +\S+\n/.test(one.out()))
        return { url, identity }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  const { url, identity } = await Promise.race([said, ended])
  const password = /--one-time-password (\S+)/.exec(one.out())?.[1]
  return { url, identity, ...(password === undefined ? {} : { password }) }
}

async function stop({ child, exit }: Run, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  child.kill(signal)
  return exit
}

// Up to a dozen processes, one after another, each of which loads the whole program.
describe('countersign-registry', { timeout: 300_000 }, () => {
  it('serves, tells the password once and only on stdout, stops when asked, and remembers', async () => {
    const first = run([])
    const { url, identity, password } = await served(first)
    expect(password).toMatch(/^[a-z0-9]{6}(-[a-z0-9]{6}){3}$/)
    const client = await bootstrap(url, 'admin', password!)
    expect((await callerOf(url, client).get('/v1/audit')).status).toBe(200)
    expect(await stop(first)).toBe(0)
    expect(first.err()).not.toContain(password!)
    expect(first.err()).not.toContain(client.clientSecret)
    expect(first.err()).not.toContain('oidc-provider')

    const second = run(['serve'])
    const again = await served(second)
    expect([again.identity, again.password]).toEqual([identity, undefined])
    expect((await callerOf(again.url, client).get('/v1/audit')).status).toBe(200)
    expect(await stop(second, 'SIGINT')).toBe(0)
  })

  it('reads .env, and lets the environment win', async () => {
    await writeFile(join(dir, '.env'), 'COUNTERSIGN_LOG_LEVEL=warn\nCOUNTERSIGN_IDENTITY=one.example\n')
    const one = run(['print-config'], {
      COUNTERSIGN_IDENTITY: 'two.example',
      COUNTERSIGN_LOG_KEY_FILE: '/secret/place',
    })
    expect(await one.exit).toBe(0)
    expect(JSON.parse(one.out())).toMatchObject({ logLevel: 'warn', identity: 'two.example' })
    expect(one.out()).not.toContain('/secret/place')
  })

  it('stops with exit code 2 at a setting or a word it does not know', async () => {
    const [setting, word] = [run([], { COUNTERSIGN_DATADIR: 'x' }), run(['serv'])]
    expect([await setting.exit, await word.exit]).toEqual([2, 2])
    expect(setting.err()).toContain('COUNTERSIGN_DATA_DIR')
    expect(word.err()).toContain('serve')
  })

  it('finds a port that is taken before it makes anything', async () => {
    const first = run([])
    const { url } = await served(first)
    const second = run([], {
      COUNTERSIGN_LISTEN: new URL(url).host,
      COUNTERSIGN_DATA_DIR: join(dir, 'other'),
    })
    expect(await second.exit).toBe(1)
    await expect(readFile(join(dir, 'other', 'registry.sqlite'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('lets one process at a database', async () => {
    await served(run([]))
    const second = run([])
    expect(await second.exit).toBe(1)
    expect(second.err()).not.toMatch(/\n\s+at /)
  })

  it('migrates, and then serves', async () => {
    expect(await run(['migrate']).exit).toBe(0)
    const one = run([])
    expect((await send((await served(one)).url, 'GET', '/healthz')).status).toBe(200)
  })

  it('keeps the identity it was given, and refuses another one later', async () => {
    const first = run([], { COUNTERSIGN_IDENTITY: 'registry.example' })
    expect((await served(first)).identity).toBe('registry.example')
    await stop(first)
    const second = run([], { COUNTERSIGN_IDENTITY: 'other.example' })
    expect(await second.exit).toBe(1)
  })

  it('begins with a root that people signed, recovers, and says that it is sound', async () => {
    const ended = async (...args: string[]): Promise<Run> => {
      const one = run(args)
      if ((await one.exit) !== 0) throw new Error(`${args.join(' ')}: ${one.err()}`)
      return one
    }
    const vkey = await makeRootKey(join(dir, 'root-1.key'), 'example.com/root-1')
    const made = await ended('root', 'init', '--root-key', vkey, '--out', 'one.root')
    await ended('root', 'sign', 'one.root', '--key', 'root-1.key', '--yes')
    await ended('root', 'publish', 'one.root')
    const first = run([])
    const { identity } = await served(first)
    expect(first.out()).toContain(made.out().trim())
    expect(await run(['recover', '--yes']).exit).toBe(1)
    expect(await stop(first)).toBe(0)

    const unsigned = run(['recover', '--yes', '--out', 'two.root'])
    expect(await unsigned.exit).toBe(1)
    expect(unsigned.err()).toContain('root sign two.root')
    // Nobody sits at a terminal here, and nobody has agreed.
    expect(await run(['root', 'sign', 'two.root', '--key', 'root-1.key']).exit).toBe(1)
    await ended('root', 'sign', 'two.root', '--key', 'root-1.key', '--yes')
    await ended('recover', '--root', 'two.root')
    expect((await ended('fsck')).out().trimEnd().split('\n').at(-1)).toBe('sound')
    const again = await served(run([]))
    expect(again.identity).toBe(identity)
    expect((await send(again.url, 'GET', '/log/checkpoint')).text.split('\n')[0]).toBe(`${identity}/log-2`)
  })
})
