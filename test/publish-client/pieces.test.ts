import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CountersignError, refuse, type Facts, type JsonObject, type JsonValue } from 'countersign/core'
import {
  compareSurfaces,
  findPackage,
  proposeSlots,
  submitManifest,
  waitForDecision,
  type Call,
  type Surface,
  type SurfaceItem,
} from 'countersign/publish'
import { serverEnvironment } from '../../client/src/publish/environment.js'
import { LineSplitter, MAX_LINE_BYTES, readFrame } from '../../client/src/publish/frames.js'

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return error instanceof CountersignError ? error.code : 'not-ours'
  }
  return 'none'
}

async function rejection(run: Promise<unknown>): Promise<CountersignError> {
  const error: unknown = await run.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(CountersignError)
  return error as CountersignError
}

describe('LineSplitter', () => {
  const split = (...chunks: string[]): string[] => {
    const lines: string[] = []
    const splitter = new LineSplitter((line) => lines.push(Buffer.from(line).toString('utf8')))
    for (const chunk of chunks) splitter.push(Buffer.from(chunk))
    return lines
  }

  it('finds lines wherever the chunks end', () => {
    expect(split('a\nb\n')).toEqual(['a', 'b'])
    expect(split('a', 'b', '\nc', '\n')).toEqual(['ab', 'c'])
    expect(split('\n\n', 'x')).toEqual([])
  })

  it('stops at the cap, also when the line came in pieces', () => {
    const splitter = new LineSplitter(() => undefined)
    splitter.push(Buffer.alloc(MAX_LINE_BYTES, 'a'))
    expect(codeOf(() => splitter.push(Buffer.from('b')))).toBe('capture-failed')
  })
})

describe('readFrame', () => {
  const read = (text: string): JsonObject | undefined => readFrame(Buffer.from(text))

  it('reads a message and passes over what is none', () => {
    expect(read('{"jsonrpc":"2.0","id":1,"result":{}}')?.['id']).toBe(1)
    for (const noise of ['ready', '[]', '{"jsonrpc":"1.0"}', '42', '{"a":1,"a":2}'])
      expect(read(noise)).toBeUndefined()
  })

  it('refuses an answer with two meanings', () => {
    expect(codeOf(() => read('{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}'))).toBe('capture-failed')
    expect(codeOf(() => read('\uFEFF{"jsonrpc":"2.0","id":1,"result":{}}'))).toBe('capture-failed')
  })
})

describe('serverEnvironment', () => {
  const own = {
    PATH: '/bin',
    HOME: '/home/x',
    GITHUB_TOKEN: 'secret',
    npm_config_cache: '/c',
    COUNTERSIGN_HOME: '/h',
  }

  it('passes what every program needs, and what was asked for', () => {
    expect(serverEnvironment([], own).env).toEqual({ PATH: '/bin', HOME: '/home/x', npm_config_cache: '/c' })
    const { env, names } = serverEnvironment(['GITHUB_TOKEN', 'MODE=a=b'], own)
    expect(env['GITHUB_TOKEN']).toBe('secret')
    expect(env['MODE']).toBe('a=b')
    expect(names).toEqual(['GITHUB_TOKEN', 'MODE'])
  })

  it.each(['', 'A B', '1X', 'NOT_SET'])('refuses %j', (name) => {
    expect(codeOf(() => serverEnvironment([name], own))).toBe('usage')
  })
})

describe('findPackage', () => {
  let folder: string
  const integrity = `sha512-${'A'.repeat(86)}==`
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-package-'))
    const packages = join(folder, 'node_modules', '@scope', 'name')
    mkdirSync(join(packages, 'dist'), { recursive: true })
    writeFileSync(join(packages, 'package.json'), '{"version":"1.2.3"}')
    writeFileSync(join(packages, 'dist', 'index.js'), '')
    const lock = { packages: { 'node_modules/@scope/name': { version: '1.2.3', integrity } } }
    writeFileSync(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify(lock))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each([
    ['npx', ['-y', '@scope/name@1.2.3', '/home/x']],
    ['/usr/bin/npx', ['@scope/name@1.2.3']],
    ['npm', ['exec', '-y', '@scope/name@1.2.3']],
    ['npx', ['-p', '@scope/name@1.2.3', 'program']],
    ['pnpm', ['dlx', '@scope/name@1.2.3']],
    ['bunx', ['--package=@scope/name@1.2.3', 'program']],
  ])('knows %s %j, with the integrity npm wrote down', (command, args) => {
    const found = findPackage(command, args, folder)
    expect(found?.ref).toEqual({
      registryType: 'npm',
      identifier: '@scope/name',
      version: '1.2.3',
      integrity,
    })
    expect(found?.launch?.args).not.toContain('/home/x')
  })

  it('binds the version only when npm wrote nothing down, and says so', () => {
    const found = findPackage('npx', ['-y', '@scope/name@1.2.4'], folder)
    expect(found?.ref).toEqual({ registryType: 'npm', identifier: '@scope/name', version: '1.2.4' })
    expect(found?.notes).toHaveLength(1)
  })

  it.each(['name', 'name@latest', 'name@^1.0.0', '@scope/name'])('takes no version from %s', (spec) => {
    const found = findPackage('npx', [spec], folder)
    expect(found?.ref.version).toBeUndefined()
    expect(found?.notes).toHaveLength(1)
  })

  it('knows packages of Python', () => {
    expect(findPackage('uvx', ['mcp-server-git==2.0.0'], folder)?.ref).toEqual({
      registryType: 'pypi',
      identifier: 'mcp-server-git',
      version: '2.0.0',
    })
  })

  it('finds the package of a started file', () => {
    const found = findPackage(
      'node',
      ['--no-warnings', 'node_modules/@scope/name/dist/index.js', 'x'],
      folder,
    )
    expect(found?.ref).toEqual({
      registryType: 'npm',
      identifier: '@scope/name',
      version: '1.2.3',
      integrity,
    })
    expect(found?.launch).toBeUndefined()
  })

  it.each([
    ['node', ['server.js']],
    ['./server', []],
    ['npx', []],
    ['npx', ['https://example.com/x.tgz']],
    ['weather', ['--port', '1']],
  ])('finds none in %s %j', (command, args) => {
    expect(findPackage(command, args, folder)).toBeUndefined()
  })
})

describe('proposeSlots', () => {
  const facts: Facts = {
    hostname: 'build-7.example',
    os: 'linux',
    user: 'root',
    home: '/home/someone',
    cwd: '/home/someone/work',
    date: '2026-11-22',
    'time-ms': '1795000000000',
    'node-version': 'v20.20.2',
  }
  const later: Facts = { ...facts, 'time-ms': '1795000003000' }
  const propose = (first: JsonValue, second: JsonValue = first) => {
    const item = (description: JsonValue): SurfaceItem => ({
      kind: 'tool',
      name: 'a',
      definition: { name: 'a', description },
    })
    return proposeSlots({ item: item(first), facts }, { item: item(second), facts: later })
  }
  const sure = (...args: Parameters<typeof propose>) =>
    propose(...args).proposals.find((one) => one.certainty === 'sure')?.slot.parts

  it('splits a text at the longest fact', () => {
    expect(sure('In /home/someone/work, on build-7.example.example')).toEqual([
      'In ',
      { fact: 'cwd' },
      ', on build-7.example.example',
    ])
    expect(sure('On build-7.example!')).toEqual(['On ', { fact: 'hostname' }, '!'])
    expect(sure('Node v20.20.2 at 2026-11-22')).toEqual([
      'Node ',
      { fact: 'node-version' },
      ' at ',
      { fact: 'date' },
    ])
  })

  it('takes an ordinary word for a fact only as a possibility', () => {
    const { proposals } = propose('Runs on linux as root.')
    expect(proposals.map((one) => one.certainty)).toEqual(['possible'])
  })

  it('sees the time where two processes differ, also in a text', () => {
    expect(sure(1795000000100, 1795000003100)).toEqual([{ fact: 'time-ms' }])
    expect(sure('since 1795000000100!', 'since 1795000003100!')).toEqual(['since ', { fact: 'time-ms' }, '!'])
    expect(propose(1795000000100, 1795000003100).unexplained).toEqual([])
  })

  it('reports a difference that no fact explains', () => {
    expect(propose('a', 'b')).toEqual({
      proposals: [],
      unexplained: [{ item: 'tool a', pointer: '/description', what: 'text' }],
    })
    expect(propose(1, 2).unexplained).toHaveLength(1)
    expect(propose({ a: 1 }, { b: 1 }).unexplained).toEqual([
      { item: 'tool a', pointer: '/description', what: 'structure' },
    ])
  })

  it('proposes nothing inside a word, and no two facts in a row', () => {
    expect(propose('linuxbrew').proposals).toEqual([])
    expect(propose('/home/someone/work/file').proposals.filter((one) => one.certainty === 'sure')).toEqual([])
  })
})

describe('compareSurfaces', () => {
  const surface = (...names: string[]): Surface => ({
    protocolVersion: '2025-11-25',
    serverInfo: { name: '', version: '' },
    items: names.map((name) => ({ kind: 'tool', name, definition: { name, list: [name] } })),
    resources: 'none',
    dropped: [],
    noise: 0,
  })

  it('does not count the order, and names what came and went', () => {
    expect(compareSurfaces(surface('a', 'b'), surface('b', 'a'))).toEqual([])
    expect(compareSurfaces(surface('a', 'b'), surface('b', 'c'))).toEqual([
      { item: 'tool a', what: 'vanished' },
      { item: 'tool c', what: 'appeared' },
    ])
  })
})

describe('submitManifest and waitForDecision', () => {
  const answering = (...answers: JsonValue[]): Call => {
    let at = 0
    return () => Promise.resolve(answers[Math.min(at++, answers.length - 1)] ?? null)
  }

  it('reads what the registry says', async () => {
    const answer = {
      manifest: 'sha256:00',
      server: 'a.b/c',
      version: '1.0.0',
      status: 'pending',
      index: 4,
      findings: [],
    }
    expect(await submitManifest(answering(answer), 'x.y.z')).toEqual(answer)
    expect((await rejection(submitManifest(answering({}), 'x.y.z'))).code).toBe('registry-error')
  })

  it('waits until it is decided', async () => {
    const call = answering({ status: 'pending' }, { status: 'pending' }, { status: 'approved' })
    expect(await waitForDecision(call, 'a.b/c', '1.0.0', { everyMs: 1 })).toBe('approved')
  })

  it('gives up', async () => {
    const waiting = waitForDecision(answering({ status: 'pending' }), 'a.b/c', '1.0.0', {
      everyMs: 1,
      timeoutMs: 20,
    })
    expect((await rejection(waiting)).code).toBe('pending')
  })

  describe('where the registry does not show what waits', () => {
    const envelope = 'x.y.z'
    const hidden = (): never =>
      refuse('registry-refused', 'no such version', { code: 'target-unknown', status: 404 })
    const submission = { manifest: 'sha256:00', server: 'a.b/c', version: '1.0.0', findings: [] }
    const wait = (call: Call, options = {}) =>
      waitForDecision(call, 'a.b/c', '1.0.0', { everyMs: 1, ...options })

    it('hands it in again, now and then, to learn what became of it', async () => {
      const asked: string[] = []
      const call: Call = (method, path, body) => {
        asked.push(method)
        if (method === 'GET') return Promise.resolve().then(hidden)
        expect([path, body?.text]).toEqual(['/v1/manifests', envelope])
        return Promise.resolve({ ...submission, status: asked.length > 8 ? 'rejected' : 'pending' })
      }
      expect(await wait(call, { envelope })).toBe('rejected')
      expect(asked.filter((method) => method === 'POST')).toHaveLength(2)
      expect(asked.filter((method) => method === 'GET')).toHaveLength(10)
    })

    it('is told so at once without what was submitted', async () => {
      const failed = await rejection(wait(() => Promise.resolve().then(hidden)))
      expect([failed.code, failed.detail['code']]).toEqual(['registry-refused', 'target-unknown'])
    })
  })

  describe('while the registry is silent', () => {
    const silent = (): never => refuse('registry-unreachable', 'nobody there')
    const wait = (call: Call, silenceMs?: number) =>
      waitForDecision(call, 'a.b/c', '1.0.0', { everyMs: 1, ...(silenceMs !== undefined && { silenceMs }) })

    it('waits on: what was submitted stands', async () => {
      let asked = 0
      const call: Call = async () => (++asked < 4 ? silent() : { status: 'approved' })
      expect(await wait(call)).toBe('approved')
    })

    it('gives up after a while, and at once on what is no silence', async () => {
      expect((await rejection(wait(async () => silent(), 5))).code).toBe('registry-unreachable')
      const refused = async (): Promise<never> => refuse('registry-refused', 'no', { status: 403 })
      expect((await rejection(wait(refused))).code).toBe('registry-refused')
    })
  })
})
