import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CountersignError, parseStrictJson, type JsonObject } from 'countersign/core'
import { memoryInProcess } from 'countersign'
import { openFolder } from '../../client/src/mirror/folder.js'
import { lockMirror } from '../../client/src/mirror/lock.js'
import { openRegistryApi, openRegistryReader } from '../../client/src/node/registry-files.js'
import { versionsPath } from '../../client/src/static-api/paths.js'
import { codeOf, codeOfAsync } from '../client/support.js'
import { revokeManifest, startRegistry } from '../support/registry.js'
import { failingFolder, openTestMirror, serve, type TestMirror, type WebServer } from '../support/mirror.js'
import { CALC, openStage, tools, WEATHER } from './support.js'

const stage = openStage()
const { release, newMirror, closeLater } = stage

type Change = (path: string, body: Buffer) => Buffer | number

/** The registry, with something in the way that changes what it says. */
async function between(change: Change): Promise<WebServer> {
  const web = await serve((request, response) => {
    const answer = async (): Promise<void> => {
      const reply = await fetch(stage.at.url + (request.url ?? ''))
      const body = Buffer.from(await reply.arrayBuffer())
      const changed = reply.status === 200 ? change(request.url ?? '', body) : reply.status
      if (typeof changed === 'number') response.writeHead(changed).end()
      else response.writeHead(200).end(changed)
    }
    void answer()
  })
  return closeLater(web)
}

async function runThrough(mirror: TestMirror, change: Change) {
  const { url } = await between(change)
  return mirror.run({ api: openRegistryApi(url), read: openRegistryReader(url), memory: memoryInProcess() })
}

const flip = (body: Buffer, index = Math.floor(body.length / 2)): Buffer => {
  const changed = Buffer.from(body)
  changed[index] = (changed[index] ?? 0) ^ 1
  return changed
}

describe('what a registry, or somebody before it, changes on the way', () => {
  it.each([
    ['an entry', '/log/tile/entries/', 'proof-invalid'],
    ['the status', '/v1/status', 'checkpoint-invalid'],
  ])('%s: nothing is shown', async (_what, prefix, code) => {
    const mirror = await newMirror()
    await mirror.run()
    await release(CALC, `2.0.${prefix.length}`)
    const before = mirror.files().filter((path) => !path.startsWith('log/tile'))
    const status = readFileSync(join(mirror.out, 'v1/status'), 'utf8')
    const run = runThrough(mirror, (path, body) => (path.startsWith(prefix) ? flip(body) : body))
    expect(await codeOfAsync(() => run)).toBe(code)
    expect(readFileSync(join(mirror.out, 'v1/status'), 'utf8')).toBe(status)
    expect(mirror.files().filter((path) => !path.startsWith('log/tile'))).toEqual(before)
    expect((await (await mirror.host()).verify(WEATHER)).digest).toBe(stage.weather)
    expect((await mirror.run()).leftOut).toEqual([])
  })

  it('another trust root is refused before anything is written, and another registry’s mirror is', async () => {
    const mirror = await newMirror()
    const other = await startRegistry()
    closeLater(other)
    const { url } = other
    const theirs = { api: openRegistryApi(url), read: openRegistryReader(url), memory: memoryInProcess() }
    expect(await codeOfAsync(() => mirror.run(theirs))).toBe('registry-mismatch')
    expect(mirror.files()).toEqual([])
    await mirror.run()
    const second = await openTestMirror(other)
    closeLater(second)
    const folder = await openFolder(mirror.out)
    expect(await codeOfAsync(() => second.run({ folder }))).toBe('registry-mismatch')
  })

  it('a bundle is left out and told; the rest of the mirror moves on', async () => {
    const mirror = await newMirror()
    const spoil: Change = (path, body) => (path.includes(stage.weather) ? flip(body) : body)
    const done = await runThrough(mirror, spoil)
    expect(done.leftOut.map(({ what }) => what)).toEqual([`${WEATHER}@1.0.0`])
    expect(mirror.files().filter((path) => path.includes(stage.weather))).toEqual([])
    const host = await mirror.host()
    expect((await host.verify(CALC, '1.0.0')).version).toBe('1.0.0')
    // Not that nobody signed it: the mirror says that something is left out.
    expect(await codeOfAsync(() => host.verify(WEATHER))).toBe('registry-unreachable')
    // It is looked at again, although the log says nothing new of it.
    expect((await mirror.run()).leftOut).toEqual([])
    expect((await (await mirror.host()).verify(WEATHER)).digest).toBe(stage.weather)
  })

  it('a list that leaves an approved version out is told', async () => {
    const mirror = await newMirror()
    const done = await runThrough(mirror, (path, body) => (path.includes(`servers/${WEATHER}`) ? 404 : body))
    expect(done.leftOut.map(({ what, code }) => [what, code])).toEqual([[WEATHER, 'registry-error']])
  })

  it('a list that adds what nobody approved adds nothing', async () => {
    const mirror = await newMirror()
    const done = await runThrough(mirror, (path, body) => {
      if (!path.includes(`servers/${WEATHER}`)) return body
      const list = parseStrictJson(body) as JsonObject & { versions: JsonObject[] }
      const [first] = list.versions
      const added = { ...first, version: '6.6.6' }
      return Buffer.from(JSON.stringify({ ...list, versions: [added, ...list.versions] }))
    })
    expect(done.leftOut.map(({ what, code }) => [what, code])).toEqual([
      [`${WEATHER}@6.6.6`, 'version-mismatch'],
    ])
    expect((await (await mirror.host()).verify(WEATHER)).version).toBe('1.0.0')
  })

  it('answers without end are not read to their end', async () => {
    const mirror = await newMirror()
    const huge = Buffer.alloc(2 * 1024 * 1024, 0x20)
    const run = runThrough(mirror, (path, body) => (path === '/v1/status' ? huge : body))
    expect(await codeOfAsync(() => run)).toBe('registry-error')
  })

  it('a registry that went back is refused, by the mirror’s own tree as well', async () => {
    const mirror = await newMirror()
    const early = new Map<string, Buffer>()
    await runThrough(mirror, (path, body) => {
      early.set(path, body)
      return body
    })
    await release(CALC, '3.0.0')
    await mirror.run()
    const shown = readFileSync(join(mirror.out, 'v1/status'))
    const run = runThrough(mirror, (path, body) => (path === '/v1/status' ? (early.get(path) ?? body) : body))
    expect(await codeOfAsync(() => run)).toBe('rollback')
    expect(readFileSync(join(mirror.out, 'v1/status'))).toEqual(shown)
  })
})

describe('every file of a mirror, changed', () => {
  it('gives what was signed or a refusal, and nothing else', async () => {
    const mirror = await newMirror()
    await revokeManifest(stage.at.admin, await release(CALC, '4.0.0'))
    await mirror.run()
    const verdicts = new Map<string, Set<string>>()
    for (const path of mirror.files()) {
      const file = join(mirror.out, path)
      const bytes = readFileSync(file)
      const codes = new Set<string>()
      for (let index = 0; index < bytes.length; index += Math.max(1, Math.floor(bytes.length / 5))) {
        if (path.startsWith('v1/bundles/') && isUnasked(bytes, index)) continue
        writeFileSync(file, flip(bytes, index))
        codes.add(await outcome(mirror))
      }
      writeFileSync(file, bytes)
      verdicts.set(path, codes)
    }
    const of = (start: string): string[] =>
      [...verdicts].filter(([path]) => path.startsWith(start)).flatMap(([, codes]) => [...codes])
    // What a host reads of this server, it refuses in every spelling but the one.
    expect(of(`v1/bundles/${stage.weather}`)).not.toContain('verified')
    expect(of('v1/status')).not.toContain('verified')
    const { revocationsHex } = await shownList(mirror)
    expect(of(`v1/revocations/${revocationsHex}`)).toEqual(['proof-invalid'])
    expect(await outcome(mirror)).toBe('verified')
  })

  /** The signatures below a bundle's checkpoint add nothing to its being a part of the status's tree. */
  function isUnasked(bytes: Buffer, index: number): boolean {
    return index > bytes.indexOf('\\n\\n') && index < bytes.indexOf('"envelope"')
  }

  async function shownList(mirror: TestMirror): Promise<{ revocationsHex: string }> {
    const status = JSON.parse(readFileSync(join(mirror.out, 'v1/status'), 'utf8')) as {
      snapshot: { event: string }
    }
    const { revocations } = JSON.parse(status.snapshot.event) as { revocations: string }
    return { revocationsHex: Buffer.from(revocations, 'base64').toString('hex') }
  }

  /** The verdict of a fresh host; whatever it lets through is what was signed. */
  async function outcome(mirror: TestMirror): Promise<string> {
    const host = await mirror.host()
    const review = await host.review({ server: WEATHER, slot: 'x', tools })
    if (review.verdict !== 'verified') {
      expect(review.allowed).toEqual([])
      return review.verdict
    }
    expect(review.manifest?.digest).toBe(stage.weather)
    expect(review.allowed.map(({ name }) => name)).toEqual(['get_forecast'])
    return 'verified'
  }
})

describe('a run that ends in the middle', () => {
  it('leaves a mirror that verifies, and the next one goes on', async () => {
    const mirror = await newMirror()
    await mirror.run()
    const next = await release(WEATHER, '1.1.0')
    await revokeManifest(stage.at.admin, await release(CALC, '5.0.0'))
    const known = [(await (await mirror.host()).verify(WEATHER)).digest as string, next]
    let steps = 0
    for (let ended = true; ended; steps++) {
      const folder = failingFolder(await openFolder(mirror.out), steps, () => endOf(steps))
      ended = await mirror.run({ folder, memory: memoryInProcess() }).then(
        () => false,
        () => true,
      )
      const { digest } = await (await mirror.host()).verify(WEATHER)
      expect(known).toContain(digest)
      // Nothing that is there goes away again.
      if (digest === next) known.shift()
    }
    expect(steps).toBeGreaterThan(8)
    expect((await (await mirror.host()).verify(WEATHER)).digest).toBe(next)
    expect((await mirror.run()).leftOut).toEqual([])
  })

  const endOf = (step: number): Error =>
    step % 2 === 0 ? new Error('killed') : new CountersignError('io', 'no space', { code: 'ENOSPC' })
})

describe('the folder', () => {
  it('is written by one run at a time, and by the next when that one died', async () => {
    const { out } = await newMirror()
    const first = await lockMirror(out)
    expect(await codeOfAsync(() => lockMirror(out))).toBe('io')
    await first.assertHeld()
    await first.release()
    await (await lockMirror(out)).release()
    const dead = JSON.stringify({ pid: 2 ** 22 + 7, host: hostname(), nonce: 'x' })
    writeFileSync(join(out, '.mirror.lock'), dead)
    await (await lockMirror(out)).release()
  })

  it('a run whose lock was taken shows nothing any more', async () => {
    const mirror = await newMirror()
    const run = mirror.run({
      assertHeld: () => Promise.reject(new CountersignError('io', 'taken over', { reason: 'locked' })),
    })
    expect(await codeOfAsync(() => run)).toBe('io')
    expect(mirror.files()).not.toContain('v1/status')
  })

  it('is left by no link in it', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'countersign-elsewhere-'))
    const { identity } = stage.at
    const none = { servers: [], retry: [], copied: {}, edges: [], lists: [] }
    const begun = { format: 'countersign/mirror/v1', identity, active: '', end: 0, ...none }
    for (const link of ['v1', 'log', 'v1/servers', 'v1/bundles']) {
      const mirror = await newMirror()
      // The folder is a mirror already; somebody puts a link into it.
      writeFileSync(join(mirror.out, '.mirror.json'), JSON.stringify(begun))
      if (link.startsWith('v1/')) mkdirSync(join(mirror.out, 'v1'))
      symlinkSync(elsewhere, join(mirror.out, link))
      expect(await codeOfAsync(() => mirror.run()), link).toBe('io')
    }
    expect(readdirSync(elsewhere)).toEqual([])
    rmSync(elsewhere, { recursive: true })
  })

  it('has its own files put in the place of links', async () => {
    const mirror = await freshRun()
    const precious = join(mkdtempSync(join(tmpdir(), 'countersign-precious-')), 'file')
    writeFileSync(precious, 'mine')
    rmSync(join(mirror.out, 'v1/status'))
    symlinkSync(precious, join(mirror.out, 'v1/status'))
    await mirror.run()
    expect(readFileSync(precious, 'utf8')).toBe('mine')
    expect((await (await mirror.host()).verify(CALC, '1.0.0')).version).toBe('1.0.0')
  })

  it('that holds other things is nobody’s mirror', async () => {
    const home = mkdtempSync(join(tmpdir(), 'countersign-home-'))
    writeFileSync(join(home, 'thesis.tex'), '')
    expect(await codeOfAsync(() => openFolder(home))).toBe('usage')
    expect(existsSync(join(home, '.mirror.json'))).toBe(false)
    rmSync(home, { recursive: true })
  })

  async function freshRun(): Promise<TestMirror> {
    const mirror = await newMirror()
    await mirror.run()
    return mirror
  }
})

describe('paths', () => {
  it.each(['com.acme/..', 'com.acme/.'])('%s is a server that has none', (name) => {
    expect(codeOf(() => versionsPath(name))).toBe('name-invalid')
  })

  it.each(['../x', 'v1/../../x', '/etc/passwd', 'v1//x', 'v1/.', 'a\\b', 'a\0b', ''])(
    '%j is none',
    async (path) => {
      const { out } = await newMirror()
      const folder = await openFolder(out)
      expect(await codeOfAsync(() => folder.draft(path, new Uint8Array()))).toBe('registry-error')
      expect(await codeOfAsync(() => folder.read(path, 10))).toBe('registry-error')
      expect(await codeOfAsync(() => openRegistryReader(`file://${out}`)(path, 10))).toBe('registry-error')
    },
  )
})
