import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileMemory } from 'countersign/node'
import { memoryInProcess } from '../../client/src/memory.js'
import { takeLock } from '../../client/src/node/lock.js'
import { codeOfAsync } from '../client/support.js'
import { PATIENT_MS } from '../support/ledger.js'
import { openWorld, toolsOf, weather } from '../support/world.js'
import { program } from '../support/programs.js'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-memory-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const run = promisify(execFile)

describe('fileMemory', () => {
  it('carries what a host saw over a restart', async () => {
    const world = openWorld()
    const v1 = world.release(world.enrol('com.acme'), weather())
    const review = async (registry = world.api()) =>
      (await world.host({ memory: fileMemory(join(dir, 'memory')), registry })).review({
        server: v1.server,
        slot: 'npx weather',
        tools: toolsOf(v1),
      })
    const before = world.frozenApi()
    const first = await review()
    expect([first.verdict, first.firstUse]).toEqual(['verified', true])
    expect((await review()).firstUse).toBe(false)
    // Bundles are kept: only the status is asked for again.
    const noBundle = world.api({ fetchBundle: () => Promise.reject(new Error('asked')) })
    expect((await review(noBundle)).verdict).toBe('verified')
    world.revoke({ kind: 'manifest', digest: v1.digest })
    expect((await review()).verdict).toBe('revoked')
    expect((await review(world.lagging(before))).verdict).toBe('revoked')
  })

  it('a damaged cache is fetched again, never believed', async () => {
    const world = openWorld()
    const v1 = world.release(world.enrol('com.acme'), weather())
    const memory = fileMemory(join(dir, 'memory'))
    const input = { server: v1.server, slot: 'x', tools: toolsOf(v1) }
    expect((await (await world.host({ memory })).review(input)).verdict).toBe('verified')
    const cache = join(dir, 'memory', 'cache')
    const names = await readdir(cache)
    expect(names.length).toBeGreaterThan(0)
    for (const name of names) await writeFile(join(cache, name), 'damaged')
    expect((await (await world.host({ memory })).review(input)).verdict).toBe('verified')
  })

  it('writes files that only their owner can read', async () => {
    const memory = fileMemory(join(dir, 'memory'))
    const world = openWorld()
    await (await world.host({ memory })).refresh()
    await memory.hostSigner()
    const files = (await readdir(join(dir, 'memory'))).map((name) => join(dir, 'memory', name))
    for (const file of [...files, join(dir, 'host-key.pem')]) expect((await stat(file)).mode & 0o077).toBe(0)
    expect(files.filter((file) => file.endsWith('.tmp') || file.endsWith('.lock'))).toEqual([])
    expect((await fileMemory(join(dir, 'memory')).hostSigner()).kid).toBe((await memory.hostSigner()).kid)
  })

  it('a damaged memory is refused and left as it is', async () => {
    const world = openWorld()
    const memory = fileMemory(dir)
    await (await world.host({ memory })).refresh()
    const file = join(dir, `world-${world.identity}.json`)
    const whole = await readFile(file, 'utf8')
    for (const text of [
      '',
      '{',
      whole.slice(0, -2),
      whole.replace('"v":2', '"v":3'),
      whole.replace('"v":2', '"v":1'),
      whole.replace('"evidence":[]', '"evidence":{}'),
      whole.replace('"evidence":[]', '"evidence":[],"tombstones":{}'),
      whole.replace('"evidence":[]', '"evidence":[],"denied":{"origin":"o","size":1,"lines":["x"]}'),
      whole.replace('"listSeen":{', '"listSeen":{"root":1,'),
    ]) {
      await writeFile(file, text)
      expect(await codeOfAsync(() => memory.readWorld(world.identity))).toBe('memory-corrupt')
      expect(await codeOfAsync(() => memory.updateWorld(world.identity, () => undefined))).toBe(
        'memory-corrupt',
      )
      expect(await codeOfAsync(() => world.host({ memory }))).toBe('memory-corrupt')
      expect(await readFile(file, 'utf8')).toBe(text)
    }
    await writeFile(file, whole)
    expect((await memory.readWorld(world.identity))?.log?.size).toBe(world.size)
  })

  it('a damaged memory of revocations is refused and left as it is', async () => {
    const world = openWorld()
    const v1 = world.release(world.enrol('com.acme'), weather())
    world.revoke({ kind: 'server', name: 'com.acme/other' })
    world.revoke({ kind: 'server', name: 'com.acme/another' })
    const memory = fileMemory(dir)
    await (await world.host({ memory })).refresh()
    const file = join(dir, `revocations-${world.identity}`)
    const whole = await readFile(file, 'utf8')
    for (const text of [
      '',
      '{}',
      whole.slice(1),
      whole.replace('"v":1', '"v":2'),
      whole.replace('"tombstones":[]', '"tombstones":[{"line":"x","seen":1}]'),
      whole.replace('com.acme/other', 'com.acme/ether'),
      whole.slice(0, -5),
    ]) {
      await writeFile(file, text)
      const host = await world.host({ memory })
      expect(await codeOfAsync(() => host.refresh())).toBe('memory-corrupt')
      expect(await readFile(file, 'utf8')).toBe(text)
    }
    await writeFile(file, whole)
    const review = await (
      await world.host({ memory })
    ).review({ server: v1.server, slot: 'x', tools: toolsOf(v1) })
    expect(review.verdict).toBe('verified')
  })

  it('keeps where revoked lines were gone', async () => {
    const line = 'server\0com.acme/gone'
    const state = {
      root: '0'.repeat(64),
      seen: 1,
      list: new Uint8Array([0x0a]),
      tombstones: [{ line, seen: 1 }],
    }
    const absent = [{ line, seen: 7 }]
    await fileMemory(dir).updateRevocations('registry-a', () => ({ ...state, absent }))
    expect(await fileMemory(dir).readRevocations('registry-a')).toEqual({ ...state, absent })
    await fileMemory(dir).updateRevocations('registry-a', () => state)
    expect(await fileMemory(dir).readRevocations('registry-a')).toEqual(state)
  })

  it('writes nothing that it would not read again', async () => {
    const state = { root: '0'.repeat(64), seen: 1, list: new Uint8Array([0x0a]), tombstones: [] }
    await fileMemory(dir).updateRevocations('registry-a', () => state)
    const huge = new Uint8Array(128 * 1024 * 1024)
    const update = () => fileMemory(dir).updateRevocations('registry-a', () => ({ ...state, list: huge }))
    expect(await codeOfAsync(update)).toBe('io')
    expect(await fileMemory(dir).readRevocations('registry-a')).toEqual(state)
  })

  it('keeps a cache of bounded size, the newest in it', async () => {
    const memory = fileMemory(dir)
    const large = new Uint8Array(32 * 1024 * 1024)
    for (let i = 0; i < 5; i++) await memory.writeBlob('registry-a', `blob-${i}`, large)
    const sizes = await Promise.all(
      (await readdir(join(dir, 'cache'))).map(async (name) => (await stat(join(dir, 'cache', name))).size),
    )
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(128 * 1024 * 1024)
    expect((await memory.readBlob('registry-a', 'blob-4'))?.length).toBe(large.length)
  })

  it('gives up proofs of trees first: each refresh brings others, and bundles are read for years', async () => {
    for (const memory of [fileMemory(dir), memoryInProcess()]) {
      const names = (prefix: string, count: number): string[] =>
        Array.from({ length: count }, (_, i) => `${prefix}-${i}`)
      for (const name of names('bundle', 8)) await memory.writeBlob('registry-a', name, new Uint8Array([1]))
      for (const name of names('consistency-1', 400))
        await memory.writeBlob('registry-a', name, new Uint8Array(32))
      for (const name of [...names('bundle', 8), 'consistency-1-399'])
        expect(await memory.readBlob('registry-a', name), name).toBeDefined()
      for (const name of names('bundle', 600)) await memory.writeBlob('registry-a', name, new Uint8Array([1]))
      expect(await memory.readBlob('registry-a', 'bundle-599')).toBeDefined()
      expect(await memory.readBlob('registry-a', 'bundle-8')).toBeUndefined()
    }
  })

  it('reads what version 1 of it wrote: tombstones last seen with the snapshot of then', async () => {
    const world = openWorld()
    const v1 = world.release(world.enrol('com.acme'), weather())
    const gone = { kind: 'server', name: 'com.acme/gone' } as const
    const memory = fileMemory(dir)
    await (await world.host({ memory })).refresh()
    const file = join(dir, `world-${world.identity}.json`)
    const { listSeen, ...now } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
    expect(listSeen).toBeDefined()
    const lines = [`manifest\0${v1.digest}`, `server\0${gone.name}`]
    await writeFile(file, JSON.stringify({ ...now, v: 1, tombstones: lines }))
    await rm(join(dir, `revocations-${world.identity}`))
    const seen = world.size - 1
    const review = async () =>
      (
        await (
          await world.host({ memory: fileMemory(dir) })
        ).review({
          server: v1.server,
          slot: 'x',
          tools: toolsOf(v1),
        })
      ).verdict
    world.revoke(gone)
    expect(await review()).toBe('revoked')
    const kept = await fileMemory(dir).readRevocations(world.identity)
    expect(kept?.tombstones).toEqual([{ line: lines[0], seen }])
    expect((await fileMemory(dir).readWorld(world.identity))?.tombstones).toBeUndefined()
    world.reinstate({ kind: 'manifest', digest: v1.digest })
    expect(await review()).toBe('verified')
  })

  it('what version 1 remembered as revoked falls by a reinstatement that is the very next entry', async () => {
    const world = openWorld()
    const v1 = world.release(world.enrol('com.acme'), weather())
    const memory = fileMemory(dir)
    const line = { kind: 'manifest', digest: v1.digest } as const
    world.revoke(line)
    await (await world.host({ memory })).refresh()
    const file = join(dir, `world-${world.identity}.json`)
    const { listSeen, ...now } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
    expect(listSeen).toBeDefined()
    await writeFile(file, JSON.stringify({ ...now, v: 1, tombstones: [`manifest\0${v1.digest}`] }))
    await rm(join(dir, `revocations-${world.identity}`))
    expect(world.reinstate(line)).toBe((now['log'] as { size: number }).size)
    const host = await world.host({ memory: fileMemory(dir) })
    expect((await host.review({ server: v1.server, slot: 'x', tools: toolsOf(v1) })).verdict).toBe('verified')
  })

  it('keeps evidence, and forgets it only when a person says so', async () => {
    const world = openWorld()
    const memory = fileMemory(dir)
    await (await world.host({ memory })).refresh()
    const evidence = { notes: ['a', 'b'] as const, conclusive: true, seenAt: 1 }
    await memory.keepEvidence(world.identity, evidence)
    await memory.keepEvidence(world.identity, evidence)
    expect((await fileMemory(dir).readWorld(world.identity))?.evidence).toEqual([evidence])
    expect(await memory.clearEvidence(world.identity)).toEqual([evidence])
    expect((await memory.readWorld(world.identity))?.evidence).toEqual([])
  })

  it('names no file by what a registry says', async () => {
    const memory = fileMemory(dir)
    expect(await codeOfAsync(() => memory.readWorld('../../etc/passwd'))).toBe('io')
    expect(await codeOfAsync(() => memory.writeBlob('registry-a', '../x', new Uint8Array()))).toBe('io')
  })

  it('loses nothing when processes race', async () => {
    const times = 40
    const write = async (name: string): Promise<void> => {
      const [command, ...args] = program('memory-writer.ts', dir, name, String(times))
      await run(command, args)
    }
    await Promise.all(['a', 'b', 'c'].map(write))
    const key = { identity: 'registry-race', server: '', slot: 'shared' }
    const tools = (await fileMemory(dir).readServer(key))?.tools ?? []
    expect(tools).toHaveLength(3 * times)
    expect(new Set(tools).size).toBe(3 * times)
    for (const name of ['a', 'b', 'c']) {
      expect(tools.filter((one) => one.startsWith(name))).toEqual(
        Array.from({ length: times }, (_, i) => `${name}-${i}`),
      )
    }
  })

  it('survives a writer that is killed in the middle', async () => {
    const [command, ...args] = program('memory-writer.ts', dir, 'k', '100000')
    const child = spawn(command, args, { stdio: 'ignore' })
    const key = { identity: 'registry-race', server: '', slot: 'shared' }
    const memory = fileMemory(dir)
    while (((await memory.readServer(key))?.tools.length ?? 0) < 5)
      await new Promise((go) => setTimeout(go, 10))
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
    const before = (await memory.readServer(key))?.tools.length ?? 0
    const after = await memory.updateServer(key, (old) => old && { ...old, tools: [...old.tools, 'mine'] })
    expect(after?.tools).toHaveLength(before + 1)
  })
})

describe('the lock file', () => {
  const lock = (): string => join(dir, 'x.lock')

  it('is taken by one at a time', async () => {
    const first = await takeLock(lock())
    expect(await first.isHeld()).toBe(true)
    expect(await codeOfAsync(() => takeLock(lock(), 50))).toBe('memory-locked')
    await first.release()
    const second = await takeLock(lock(), 50)
    expect([await first.isHeld(), await second.isHeld()]).toEqual([false, true])
    await first.release()
    expect(await second.isHeld()).toBe(true)
  })

  it('of a process that is gone, or that is old, is taken over; of a living one elsewhere it is not', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    const { pid } = child
    await new Promise((resolve) => child.once('exit', resolve))
    // Nobody waits for it, so it makes no difference how long the looking takes.
    await writeFile(lock(), JSON.stringify({ pid, host: hostname(), nonce: 'x' }))
    await (await takeLock(lock(), 0)).release()
    await writeFile(lock(), JSON.stringify({ pid: 1, host: 'another-machine', nonce: 'x' }))
    expect(await codeOfAsync(() => takeLock(lock(), 50))).toBe('memory-locked')
    const old = Date.now() / 1000 - 60
    await utimes(lock(), old, old)
    await (await takeLock(lock(), 0)).release()
    expect(await readdir(dir)).toEqual([])
  })

  it('that is broken by many at once is held by one', async () => {
    await writeFile(lock(), 'damaged')
    const old = Date.now() / 1000 - 60
    await utimes(lock(), old, old)
    let inside = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const held = await takeLock(lock(), PATIENT_MS)
        most = Math.max(most, ++inside)
        await new Promise((go) => setTimeout(go, 2))
        inside--
        await held.release()
      }),
    )
    expect(most).toBe(1)
  })
})
