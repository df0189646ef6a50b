import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { sha256, utf8Bytes } from 'countersign/core'
import { openOwnTree } from '../../client/src/cli/log/own-tree.js'
import { openReplay, type Replay } from '../../client/src/cli/log/replay.js'
import {
  documentOfReplay,
  stateOfDocument,
  type ReplayDocument,
} from '../../client/src/cli/log/replay-text.js'
import type { RootPeople } from '../../client/src/cli/log/replay-state.js'
import { newKey } from '../support/registry.js'
import { byteLeaves } from '../support/tlog.js'
import { LogWorld } from './log-world.js'
import { openMonitorDesk, type MonitorDesk } from './log-monitoring.js'

let desk: MonitorDesk | undefined
afterEach(async () => {
  await desk?.close()
  desk = undefined
})

async function openScene(size = 0) {
  const world = new LogWorld()
  const acme = world.enrol('com.acme')
  world.release(acme, '1.0.0')
  while (world.log.leaves.length < size) world.put(world.snapshot())
  const opened = await openMonitorDesk(world)
  desk = opened
  return { world, acme, desk: opened }
}
const watching = { namespace: ['com.acme'] }

describe('countersign log monitor', () => {
  it('says nothing of an honest log, and goes on where it stopped', async () => {
    const { world, acme, desk } = await openScene()
    const first = await desk.run()
    expect(first).toMatchObject({ code: 0, lies: [], alerts: [] })
    expect(first.lines.map(({ type }) => type)).toEqual(['checkpoint', 'summary'])
    expect(first.lines.at(-1)).toMatchObject({ ok: true, verified: true, from: 0, entries: world.next })
    world.release(acme, '1.0.1')
    world.asked.length = 0
    expect(await desk.run(watching)).toMatchObject({ code: 5, lies: [], events: ['publish', 'approve'] })
    expect(world.asked.filter((path) => path.includes('/entries/'))).toHaveLength(1)
    expect(await desk.run(watching)).toMatchObject({ code: 0, events: [] })
  })

  it('tells again from an entry that is named, and of namespaces however they are written', async () => {
    const { world, acme, desk } = await openScene()
    await desk.run()
    const from = world.release(acme, '1.0.1').index
    await desk.run()
    const again = await desk.run({ namespace: ['com.ACME'], from: '0' })
    expect(again.events).toEqual(['namespace', 'key.add', 'publish', 'approve', 'publish', 'approve'])
    expect(await desk.run({ ...watching, from: String(from) })).toMatchObject({
      events: ['publish', 'approve'],
    })
    expect(await desk.run({ namespace: ['com'], from: '0' })).toMatchObject({
      code: 2,
      failure: 'usage',
    })
  })

  it.each([
    { from: '-1' },
    { from: '1.5' },
    { every: '0' },
    { every: 'x' },
    { every: '4000000' },
    { tiles: 'some' },
    { namespace: ['../x'] },
  ])('refuses %o', async (options) => {
    const { desk } = await openScene()
    expect(await desk.run(options)).toMatchObject({ code: 2, failure: 'usage', lines: [] })
  })

  it('says that nobody answers, and keeps its place', async () => {
    const { world, acme, desk } = await openScene()
    await desk.run()
    const before = readFileSync(desk.state)
    world.release(acme, '1.0.1')
    world.down = true
    expect(await desk.run(watching)).toMatchObject({ code: 4, alerts: ['registry-unreachable'], lies: [] })
    expect(readFileSync(desk.state).equals(before)).toBe(true)
    world.down = false
    expect(await desk.run(watching)).toMatchObject({ code: 5, events: ['publish', 'approve'] })
  })

  it('says that what is published is old, and that the trust root expired', async () => {
    const world = new LogWorld()
    world.signRoot({
      expires: '2020-01-01T00:00:00Z',
      freshness: { refreshSeconds: 1, maxSeconds: 1, offlineMaxSeconds: 1 },
    })
    world.logRoot()
    desk = await openMonitorDesk(world)
    const note = world.note(undefined, undefined, 'all', undefined, 1)
    const status = world.status(undefined, undefined, note)
    world.bend = (path, body) => (path === '/log/checkpoint' ? note : path === '/v1/status' ? status : body)
    expect(await desk.run()).toMatchObject({ code: 5, alerts: ['stale', 'root-expired', 'root-changed'] })
  })

  it('goes on until it is ended, past a registry that does not answer', async () => {
    const { world, acme, desk } = await openScene()
    await desk.run()
    const ending = new AbortController()
    let round = 0
    world.bend = (path, body) => {
      if (path !== '/v1/root/1') return body
      round += 1
      world.down = round === 2
      if (round === 3) world.release(acme, '1.0.1')
      if (round === 4) ending.abort()
      return body
    }
    const found = await desk.run({ ...watching, every: '1' }, ending.signal)
    expect(found).toMatchObject({
      code: 5,
      events: ['publish', 'approve'],
      alerts: ['registry-unreachable'],
      lies: [],
    })
    expect(found.lines.filter(({ type }) => type === 'summary')).toHaveLength(2)
  })
})

describe('the state of a monitor', () => {
  it('is private, and whole whatever was left beside it', async () => {
    const { desk } = await openScene()
    await desk.run()
    expect(statSync(desk.state).mode & 0o777).toBe(0o600)
    writeFileSync(`${desk.state}.1.abc.tmp`, 'half a sta')
    expect(await desk.run()).toMatchObject({ code: 0 })
    expect(readdirSync(dirname(desk.state)).filter((name) => name.endsWith('.lock'))).toEqual([])
  })

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['cut off', (bytes) => bytes.subarray(0, -20)],
    ['empty', () => Buffer.alloc(0)],
    [
      'with one bit changed',
      (bytes) => Buffer.from(bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 1 : byte))),
    ],
    ['of another format', (bytes) => Buffer.from(bytes.toString('utf8').replace('/v1\n', '/v2\n'))],
    ['with something behind it', (bytes) => Buffer.concat([bytes, Buffer.from('\n')])],
  ])('that is %s is refused, and left as it is', async (_, damage) => {
    const { desk } = await openScene()
    await desk.run()
    const damaged = damage(readFileSync(desk.state))
    writeFileSync(desk.state, damaged)
    expect(await desk.run()).toMatchObject({ code: 1, failure: 'memory-corrupt', lines: [] })
    expect(readFileSync(desk.state).equals(damaged)).toBe(true)
  })

  it('that others can read is refused', async () => {
    const { desk } = await openScene()
    await desk.run()
    const open = join(desk.home, 'open')
    writeFileSync(open, readFileSync(desk.state), { mode: 0o644 })
    expect(await desk.run({ state: open })).toMatchObject({ code: 1, failure: 'io' })
  })

  it('of another registry is refused', async () => {
    const { desk } = await openScene()
    await desk.run()
    const other = await openMonitorDesk(new LogWorld())
    try {
      expect(await other.run({ state: desk.state })).toMatchObject({ code: 2, failure: 'usage' })
    } finally {
      await other.close()
    }
  })

  it('that another monitor wrote meanwhile is not written over', async () => {
    const { world, desk } = await openScene()
    await desk.run()
    world.append()
    const old = readFileSync(desk.state)
    world.bend = (path, body) => {
      if (path === '/v1/status') writeFileSync(desk.state, Buffer.concat([old, Buffer.from('x')]))
      return body
    }
    expect(await desk.run()).toMatchObject({ code: 1, failure: 'memory-locked' })
  })

  it('is saved in the middle of a long log, where a proof says that it may be, and a killed run goes on there', async () => {
    const { world, desk } = await openScene(900)
    world.bend = (path, body) => {
      if (path.includes('/tile/0/003')) world.down = true
      return body
    }
    expect(await desk.run(watching)).toMatchObject({
      code: 4,
      lies: [],
      events: ['namespace', 'key.add', 'publish', 'approve'],
    })
    world.down = false
    world.bend = (_, body) => body
    world.asked.length = 0
    const rest = await desk.run(watching)
    expect(rest).toMatchObject({ code: 0, lies: [], events: [] })
    expect(rest.lines.at(-1)).toMatchObject({ from: 768, entries: 900 })
    // What was approved before the kill is looked at all the same.
    expect(world.asked.some((path) => path.includes('/bundles/'))).toBe(true)
    const whole = await desk.run({ state: `${desk.state}-2` })
    expect(whole.lines.at(-1)).toMatchObject({ from: 0, entries: 900, verified: true })
    expect(stateOf(desk.state)).toEqual(stateOf(`${desk.state}-2`))
  })

  it('is not read on, nor saved, upon entries that are proved not to be of the signed tree', async () => {
    const { world, desk } = await openScene(900)
    world.bend = (path, body) => {
      if (!path.includes('/consistency') || body === undefined) return body
      return Buffer.from(JSON.stringify({ proof: [] }))
    }
    world.asked.length = 0
    const found = await desk.run(watching)
    expect(found).toMatchObject({ code: 3, lies: ['proof-malformed'], events: [] })
    expect(world.asked.filter((path) => path.includes('/entries/'))).toHaveLength(2)
    expect(stateOf(desk.state)).toMatchObject({ tree: { size: 0 } })
  })

  it('says with its code what it told, when it is ended in the middle', async () => {
    const { world, desk } = await openScene(900)
    const ending = new AbortController()
    world.bend = (path, body) => {
      if (path.includes('/tile/0/002')) ending.abort()
      return body
    }
    const ended = await desk.run(watching, ending.signal)
    expect(ended).toMatchObject({ code: 5, events: ['namespace', 'key.add', 'publish', 'approve'] })
    world.bend = (_, body) => body
    expect(await desk.run(watching)).toMatchObject({ code: 0, events: [] })
  })
})

/** Replay and tree of a state: what does not depend on when somebody looked. */
function stateOf(file: string): unknown {
  const { tree, replay, origin } = JSON.parse(readFileSync(file, 'utf8').split('\n')[1] ?? '') as Record<
    string,
    unknown
  >
  return { tree, replay, origin }
}

describe('a resumed replay', () => {
  /** A log with everything in it, some of it false, over two successors. */
  function history(): { world: LogWorld; leaves: string[] } {
    const world = new LogWorld()
    const [acme, other] = [world.enrol('com.acme'), world.enrol('org.other')]
    for (let i = 0; i < 30; i++) {
      // The same throws each time: each of the kinds below is among them.
      const [dice = 0] = sha256(utf8Bytes(`release ${i}`))
      const owner = dice % 2 === 0 ? acme : other
      const published = world.publish(owner, `1.0.${i}`)
      if (dice % 3 > 0) world.approve(published)
      if (dice % 5 === 0) {
        world.lines.add(`manifest\0${published.manifest}`)
        const after = world.latest(`manifest:${published.manifest}`)
        const about = {
          target: 'manifest',
          digest: published.manifest,
          reason: 'r',
          deciders: ['a'],
          after,
        } as const
        world.append({ v: 1, t: 'revoke', ...about })
      }
      if (dice % 7 === 0) world.append(world.keyAdd(owner, newKey(), dice % 14 === 0 ? 'own' : 'sign'))
      if (dice % 11 === 0) world.append('{"not":"an event"}')
      if (dice % 13 === 0) world.append(world.keyAdd(owner, newKey(), 'sign', newKey()))
      if (i === 10 || i === 20) world.succeed()
    }
    const spare = newKey()
    const added = world.append(world.keyAdd(acme, spare, 'own'))
    world.append(world.keyRevoke(acme, spare, added), world.keyRevoke(acme, acme.own))
    return { world, leaves: world.logs.flatMap((log) => log.leaves) }
  }

  /** Replays the leaves of a history from where a replay stands, and starts its successors. */
  function go(replay: Replay, { world, leaves }: ReturnType<typeof history>, to: number): string[] {
    const starts = new Map(
      world.logs.map((_, n) => [world.logs.slice(0, n).flatMap((one) => one.leaves).length, n]),
    )
    const lies: string[] = []
    while (replay.state.position < to) {
      const at = replay.state.position
      const before = world.logs[(starts.get(at) ?? 0) - 1]
      if (before !== undefined) {
        const [leaf = ''] = world.logs[starts.get(at)!]!.leaves
        const { origin, size, root } = JSON.parse(leaf) as { origin: string; size: number; root: string }
        replay.succeed({ origin, size, root })
      }
      const { lie } = replay.add(utf8Bytes(leaves[at]!))
      if (lie !== undefined) lies.push(`${lie.index} ${lie.code}`)
    }
    return lies
  }

  it('has the state and the lies of one from entry 0, wherever it was stopped', () => {
    const told = history()
    const known = {
      registry: told.world.identity,
      rootDigests: new Map<number, string>(),
      rootPeople: new Map<number, RootPeople>(),
    }
    const open = (): Replay => openReplay(known.registry, known.rootDigests)
    const whole = open()
    const lies = go(whole, told, told.leaves.length)
    const wanted = JSON.stringify(documentOfReplay(whole.state))
    for (let cut = 0; cut <= told.leaves.length; cut++) {
      const first = open()
      const found = go(first, told, cut)
      const kept = JSON.stringify(documentOfReplay(first.state))
      const state = stateOfDocument(JSON.parse(kept) as ReplayDocument, known)
      expect(JSON.stringify(documentOfReplay(state))).toBe(kept)
      if (cut % 9 > 0) continue
      const resumed = openReplay(known.registry, known.rootDigests, new Map(), state)
      expect([...found, ...go(resumed, told, told.leaves.length)]).toEqual(lies)
      expect(JSON.stringify(documentOfReplay(resumed.state))).toBe(wanted)
      expect({ ...resumed.finish(), lies: [] }).toEqual({ ...whole.finish(), lies: [] })
    }
  })
})

describe('a tree of our own', () => {
  it('is the same one after a stop at any size, with the same tiles', () => {
    const leaves = byteLeaves(66_000)
    const sizes = [0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000]
    const tree = openOwnTree()
    const kept = new Map<number, string>()
    const full = [...Array(leaves.length + 1).keys()].flatMap((size) => {
      if (sizes.includes(size)) kept.set(size, JSON.stringify(tree.document()))
      return size < leaves.length ? tree.append(leaves[size]!).map(({ level, n }) => `${level}/${n}`) : []
    })
    expect(full).toHaveLength(258)
    for (const [size, text] of kept) {
      const resumed = openOwnTree(JSON.parse(text) as ReturnType<typeof tree.document>)
      expect(resumed.size).toBe(size)
      if (size < 65_000) continue
      for (const leaf of leaves.slice(size)) resumed.append(leaf)
      expect(resumed.document()).toEqual(tree.document())
      expect(resumed.root()).toEqual(tree.root())
    }
  })

  it('is refused when its edge is of another size', () => {
    const tree = openOwnTree()
    for (const leaf of byteLeaves(300)) tree.append(leaf)
    const { edge } = tree.document()
    expect(() => openOwnTree({ size: 299, edge })).toThrow(
      expect.objectContaining({ code: 'proof-malformed' }),
    )
  })
})
