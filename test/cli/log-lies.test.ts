import { afterEach, describe, expect, it } from 'vitest'
import {
  encodeBase64,
  formatRevocations,
  formatStatus,
  parseStatus,
  sortRevocations,
  type Digest,
} from 'countersign/core'
import { LogWorld, people, type LogWorldOptions, type Owner, type Released } from './log-world.js'
import { openMonitorDesk, type MonitorDesk, type Watched } from './log-monitoring.js'

// Each lie that a registry, or whoever stands before it, can tell a monitor that watched it before; and its benign twin.

interface Scene {
  readonly world: LogWorld
  readonly acme: Owner
  readonly released: Released
  readonly approvers: ReturnType<typeof people>
}

let desk: MonitorDesk
afterEach(() => desk.close())

/** A monitor that saw an honest log: one namespace, one approved version, one revocation. */
async function openScene(options: LogWorldOptions = {}, leaves = 0): Promise<Scene> {
  const approvers = people(2, 2)
  const world = new LogWorld(options)
  const acme = world.enrol('com.acme')
  const released = world.release(acme, '1.0.0')
  for (let i = 0; i < leaves; i++) world.append()
  revoke(world, world.release(acme, '0.9.0').manifest)
  desk = await openMonitorDesk(world)
  const { code, lies } = await desk.run()
  if (code !== 0) throw new Error(`the honest log is not: ${lies.join()}`)
  return { world, acme, released, approvers }
}

function revocationOf(world: LogWorld, digest: Digest, t: 'revoke' | 'reject' = 'revoke') {
  const after = world.latest(`manifest:${digest}`)
  return { v: 1, t, target: 'manifest', digest, reason: 'bad', deciders: ['reviewer'], after } as const
}

function revoke(world: LogWorld, digest: Digest): void {
  world.lines.add(`manifest\0${digest}`)
  world.append(revocationOf(world, digest))
}

const run = (): Promise<Watched> => desk.run({ namespace: ['com.acme'] })
const flip = (body: Uint8Array | undefined): Uint8Array | undefined => {
  if (body !== undefined) body[0] = (body[0] ?? 0) ^ 1
  return body
}
/** Changes the text of what is served at a path. */
function bendText(world: LogWorld, at: RegExp, change: (text: string) => string): void {
  world.bend = (path, body) =>
    at.test(path) && body !== undefined
      ? Buffer.from(change(Buffer.from(body).toString('latin1')), 'latin1')
      : body
}

describe('an honest registry', () => {
  it('that grows, rotates its root and starts a successor is believed', async () => {
    const { world, acme } = await openScene()
    world.release(acme, '1.0.1')
    expect(await run()).toMatchObject({ code: 5, lies: [], alerts: [], events: ['publish', 'approve'] })
    world.signRoot()
    world.logRoot()
    expect(await run()).toMatchObject({ code: 5, lies: [], alerts: ['root-changed'], events: [] })
    world.succeed()
    world.release(acme, '1.0.2')
    const after = await run()
    expect(after).toMatchObject({ code: 5, lies: [], events: ['publish', 'approve'] })
    expect(after.alerts.toSorted()).toEqual(['log-succeeded', 'root-changed'])
    expect(await desk.run({ tiles: 'all', from: '0' })).toMatchObject({ code: 5, lies: [] })
    world.succeed()
    expect(await run()).toMatchObject({ lies: [] })
    expect(await run()).toMatchObject({ code: 0 })
  })

  it('whose quorum is late is believed: what is committed waits, and is published as it was', async () => {
    const { world, acme } = await openScene({ witnesses: 2 })
    world.published = world.log.leaves.length
    const released = world.publish(acme, '1.0.1')
    world.append()
    expect(await run()).toMatchObject({ code: 0, lies: [] })
    world.published = undefined
    world.approve(released)
    expect(await run()).toMatchObject({ code: 5, lies: [] })
  })

  it('that was recovered from a backup cuts entries off: an alert, with both notes kept', async () => {
    const { world, acme } = await openScene()
    const size = world.log.leaves.length
    world.release(acme, '1.0.1')
    await run()
    world.succeed({ size })
    const cut = await run()
    expect(cut).toMatchObject({ code: 5, lies: [] })
    expect(cut.alerts).toContain('log-cut')
    const [evidence] = desk.evidenceOf(cut)
    expect((evidence?.['documents'] as { notes: string[] }).notes).toHaveLength(2)
    expect(await run()).toMatchObject({ code: 0 })
  })
})

type Case = readonly [name: string, act: (scene: Scene) => void | Promise<void>, code: string]

const LEAVES: readonly Case[] = [
  [
    'a key that nobody endorsed',
    ({ world, acme }) =>
      void world.append(world.keyAdd(acme, people(1, 1).signers[0]!, 'sign', people(1, 1).signers[0])),
    'key-unknown',
  ],
  [
    'a publication by a revoked key',
    ({ world, acme }) => {
      const { namespace, sign } = acme
      world.lines.add(`key\0${namespace}\0${sign.kid}\0${world.next}`)
      world.append(world.keyRevoke(acme, sign))
      world.publish(acme, '1.0.1')
    },
    'key-unknown',
  ],
  [
    'an approval replayed after an undo',
    ({ world, acme }) => {
      const published = world.publish(acme, '1.0.1')
      const approval = world.approval(published)
      world.append(revocationOf(world, published.manifest, 'reject'))
      world.append(approval)
    },
    'event-invalid',
  ],
  [
    'an approval of what is revoked',
    ({ world, acme }) => {
      const published = world.publish(acme, '1.0.1')
      revoke(world, published.manifest)
      world.approve(published)
    },
    'event-invalid',
  ],
  [
    'a snapshot that leaves a revocation out',
    ({ world, released }) => void world.append(revocationOf(world, released.manifest)),
    'snapshot-malformed',
  ],
  [
    'a snapshot that forgets an old revocation',
    ({ world }) => {
      world.lines.clear()
      world.append()
    },
    'snapshot-malformed',
  ],
  [
    'a snapshot of another root version',
    ({ world }) => void world.put(world.snapshot({ rootVersion: 2 })),
    'snapshot-malformed',
  ],
  ['a leaf that is no event', ({ world }) => void world.append('{"v":1}'), 'event-invalid'],
  [
    'a continuation in the middle of a log',
    ({ world }) => {
      const root = encodeBase64(world.treeRoot())
      world.append({ v: 1, t: 'continue', origin: world.log.origin, size: 1, root })
    },
    'event-invalid',
  ],
  [
    'a successor that continues another size',
    ({ world }) => {
      const { origin, leaves } = world.log
      const root = encodeBase64(world.treeRoot())
      world.succeed({ first: { v: 1, t: 'continue', origin, size: leaves.length - 1, root } })
    },
    'event-invalid',
  ],
  [
    'a successor that continues nothing',
    ({ world }) => world.succeed({ first: world.snapshot({ asOf: 0 }) }),
    'event-invalid',
  ],
]

describe('what the log itself says', () => {
  it.each(LEAVES)('%s is found, once, with the leaf', async (_, act, code) => {
    const scene = await openScene()
    await act(scene)
    const found = await run()
    expect(found.code).toBe(3)
    expect(found.lies).toContain(code)
    expect(desk.evidenceOf(found)[0]).toMatchObject({ identity: scene.world.identity, code })
    expect(found.lines.find(({ type }) => type === 'lie')?.['leaf']).not.toBe('')
    expect((await run()).lies).not.toContain(code)
  })

  it('a tree that ends without a snapshot', async () => {
    const { world, acme } = await openScene()
    world.put(world.version(acme, '1.0.1', acme.sign).event)
    expect((await run()).lies).toContain('snapshot-malformed')
  })

  it('an approval that the approvers did not sign is found; theirs is not', async () => {
    const { signers, set } = people(2, 2)
    const world = new LogWorld({ approvers: set })
    const acme = world.enrol('com.acme')
    desk = await openMonitorDesk(world)
    await run()
    world.approve(world.publish(acme, '1.0.0'), signers)
    expect(await run()).toMatchObject({ code: 5, lies: [] })
    for (const [i, by] of [[], signers.slice(1), [signers[0]!, signers[0]!]].entries()) {
      world.approve(world.publish(acme, `1.1.${i}`), by)
      expect(await run()).toMatchObject({ code: 3, lies: ['signature-invalid'] })
    }
  })
})

const SHOWN: readonly Case[] = [
  [
    'a fork that goes on: another entry in the past',
    ({ world, acme }) => {
      world.log.leaves.splice(-2)
      world.append()
      world.append()
      world.release(acme, '2.0.0')
    },
    'equivocation',
  ],
  [
    'a fork of the same size',
    ({ world }) => {
      world.log.leaves.splice(-2)
      world.put('{}')
      world.put(world.snapshot())
    },
    'equivocation',
  ],
  ['a smaller tree than before', ({ world }) => void world.log.leaves.splice(-2), 'rollback'],
  [
    'a status older than the checkpoint',
    ({ world }) => {
      const old = world.status()
      world.append()
      world.bend = (path, body) => (path === '/v1/status' ? old : body)
    },
    'rollback',
  ],
  [
    'an old snapshot under the newest checkpoint',
    ({ world }) => {
      const size = world.log.leaves.length
      world.append()
      world.bend = (path, body) => (path === '/v1/status' ? world.status(size + 1, size) : body)
    },
    'rollback',
  ],
  [
    'a status with a snapshot that the tree does not hold',
    ({ world }) => {
      const { snapshot, ...status } = parseStatus(world.status())
      const event = snapshot.event.replace('"count":1', '"count":0')
      world.bend = (path, body) =>
        path === '/v1/status' ? formatStatus({ ...status, snapshot: { ...snapshot, event } }) : body
    },
    'proof-invalid',
  ],
  [
    'a status of another registry',
    ({ world }) =>
      bendText(world, /\/v1\/status/, (text) =>
        text.replace(/"registry":"registry-/, '"registry":"registry-x'),
      ),
    'registry-mismatch',
  ],
  [
    'a status that is not served',
    ({ world }) => {
      world.bend = (path, body) => (path === '/v1/status' ? undefined : body)
    },
    'registry-error',
  ],
  [
    'a checkpoint that the log did not sign',
    ({ world }) => bendText(world, /^\/log\/checkpoint$/, (text) => text.replace(/\n(\d+)\n/, '\n1\n')),
    'checkpoint-invalid',
  ],
  [
    'a committed checkpoint of another tree',
    ({ world }) => {
      const { leaves } = world.log
      const other = world.note(world.log, leaves.length, 'log', new Uint8Array(32))
      world.bend = (path, body) => (path === '/log/checkpoint.committed' ? other : body)
    },
    'equivocation',
  ],
  [
    'a committed checkpoint that lies behind',
    ({ world }) => {
      const old = world.note(world.log, world.log.leaves.length - 1, 'log')
      world.bend = (path, body) => (path === '/log/checkpoint.committed' ? old : body)
    },
    'rollback',
  ],
  ['a root that is served and not logged', ({ world }) => void world.signRoot(), 'proof-invalid'],
  [
    'a root that is served as another one than the pinned one',
    ({ world }) => {
      world.roots.length = 0
      world.signRoot({ freshness: { refreshSeconds: 1, maxSeconds: 86_400, offlineMaxSeconds: 604_800 } })
    },
    'equivocation',
  ],
  [
    'a root that its predecessor did not sign',
    ({ world }) => {
      const note = world.signRoot()
      world.roots[1] = note.replace(/\n3\n|\n2\n/, '\n3\n')
    },
    'root-unsigned',
  ],
  [
    'another revocation list than the one that is named',
    ({ world }) =>
      bendText(world, /\/revocations\//, (text) =>
        text.replace(/[0-9a-f]\n$/, (end) => `${end === '0\n' ? '1' : '0'}\n`),
      ),
    'proof-invalid',
  ],
  [
    'a revocation list that is not served',
    ({ world }) => {
      world.bend = (path, body) => (path.includes('/revocations/') ? undefined : body)
    },
    'registry-error',
  ],
  [
    'a consistency route that lies',
    ({ world }) => {
      world.append()
      bendText(world, /\/consistency/, (text) =>
        text.replace(/"proof":\["(.)/, (_, c: string) => `"proof":["${c === 'A' ? 'B' : 'A'}`),
      )
    },
    'proof-mismatch',
  ],
]

describe('what is shown of the log', () => {
  it.each(SHOWN)('%s is found at every run until it is gone', async (_, act, code) => {
    const scene = await openScene()
    await act(scene)
    const found = await run()
    expect(found.code).toBe(3)
    expect(found.lies).toContain(code)
    expect((await run()).lies).toContain(code)
  })

  it('denials whose list is not served, or whose tree is another one; honest ones are believed', async () => {
    const { world, released } = await openScene()
    const size = (world.published = world.log.leaves.length)
    const status = parseStatus(world.status(size))
    const published = formatRevocations(sortRevocations(world.lines))
    revoke(world, released.manifest)
    const { log } = world
    const whole = log.leaves.length
    const proof = world.inclusion(log, whole - 1, whole)
    const snapshot = { event: log.leaves[whole - 1]!, proof }
    const shown = (checkpoint: string) => formatStatus({ ...status, denials: { checkpoint, snapshot } })
    const good = shown(world.note(log, whole, 'log'))
    const other = shown(world.note(log, whole, 'log', new Uint8Array(32)))
    const show = (answer: Uint8Array, isListed: boolean): void => {
      world.bend = (path, body) => {
        if (path === '/v1/status') return answer
        if (!path.includes('/revocations/')) return body
        // The list of what is published, and the newer one of the denials.
        return body === undefined ? published : isListed ? body : undefined
      }
    }
    show(good, true)
    expect(await run()).toMatchObject({ code: 0, lies: [] })
    show(good, false)
    expect((await run()).lies).toEqual(['registry-error'])
    show(other, true)
    expect((await run()).lies).toEqual(['proof-invalid'])
  })

  it('an old checkpoint beside a new status', async () => {
    const { world } = await openScene()
    const old = world.note(undefined, world.log.leaves.length - 1)
    world.bend = (path, body) => (path === '/log/checkpoint' ? old : body)
    expect(await run()).toMatchObject({ code: 3, lies: ['rollback'] })
  })

  it('both notes of a fork are kept', async () => {
    const { world } = await openScene()
    const before = world.note().split('\n', 3)
    world.log.leaves.splice(-2)
    for (let i = 0; i < 4; i++) world.append()
    const found = await run()
    const fork = desk.evidenceOf(found).find(({ code }) => code === 'equivocation')
    const { notes } = fork?.['documents'] as { notes: string[] }
    expect(notes.map((note) => note.split('\n', 3))).toEqual([before, world.note().split('\n', 3)])
  })

  it('a committed tree that what is published later leaves out', async () => {
    const { world, acme } = await openScene()
    world.published = world.log.leaves.length
    const { leaves } = world.log
    world.log.leaves = [...leaves]
    world.publish(acme, '6.6.6')
    const committed = world.note(world.log, world.log.leaves.length, 'log')
    expect(await run()).toMatchObject({ code: 0 })
    world.published = undefined
    world.log.leaves = [...leaves]
    world.append()
    world.append()
    const found = await run()
    expect(found).toMatchObject({ code: 3, lies: ['equivocation'] })
    const [evidence] = desk.evidenceOf(found)
    expect((evidence?.['documents'] as { notes: string[] }).notes[0]).toBe(committed)
  })

  it('a checkpoint or a status without its quorum', async () => {
    const { world } = await openScene({ witnesses: 2 })
    world.bend = (path, body) =>
      path === '/log/checkpoint' ? Buffer.from(world.note(undefined, undefined, 'timestamper')) : body
    expect(await run()).toMatchObject({ code: 3, lies: ['quorum-not-met'] })
    world.bend = (path, body) =>
      path === '/log/checkpoint' ? Buffer.from(world.note(undefined, undefined, 'log')) : body
    expect(await run()).toMatchObject({ code: 3, lies: ['quorum-not-met'] })
    world.bend = (_, body) => body
    expect(await run()).toMatchObject({ code: 0 })
  })

  it('a root that is served as another one than was logged', async () => {
    const { world } = await openScene()
    world.signRoot()
    world.logRoot()
    await run()
    const honest = world.roots.pop()!
    world.signRoot({ freshness: { refreshSeconds: 1, maxSeconds: 86_400, offlineMaxSeconds: 604_800 } })
    expect(await run()).toMatchObject({ code: 3, lies: ['proof-invalid'] })
    world.roots[1] = honest
    expect(await run()).toMatchObject({ code: 0 })
  })

  it('a frozen log whose last note is of another tree', async () => {
    const { world } = await openScene()
    world.succeed()
    const [frozen] = world.logs
    const other = world.note(frozen, frozen!.leaves.length - 1, 'log')
    world.bend = (path, body) => (path === '/log/1/checkpoint' ? Buffer.from(other) : body)
    expect((await run()).lies).toEqual(['checkpoint-invalid'])
  })

  it('a frozen log that was another one when it was seen', async () => {
    const { world } = await openScene()
    world.log.leaves.splice(-2)
    for (let i = 0; i < 3; i++) world.append()
    world.succeed()
    expect((await run()).lies).toContain('equivocation')
  })
})

describe('what is served of the tree', () => {
  it('an entry that was changed, to a monitor that never saw it and to one that did', async () => {
    const { world } = await openScene()
    bendText(world, /\/entries\//, (text) => text.replace('"admin"', '"edmin"'))
    world.append()
    expect(await run()).toMatchObject({ code: 3, lies: ['proof-invalid'] })
    const first = await desk.run({ state: `${desk.state}-2` })
    expect(first.lies).toEqual(
      expect.arrayContaining(['event-invalid', 'proof-invalid', 'checkpoint-invalid']),
    )
    world.bend = (_, body) => body
    expect(await run()).toMatchObject({ code: 0, lies: [] })
  })

  it('a new entry that is not of the signed tree, with the tree proved all the same', async () => {
    const { world, acme } = await openScene()
    world.release(acme, '7.7.7')
    bendText(world, /\/entries\//, (text) => text.replaceAll('7.7.7', '7.7.8'))
    const found = await run()
    expect(found.lies).toContain('checkpoint-invalid')
    expect(found.lies).not.toContain('equivocation')
    expect(found.events).toEqual([])
    world.bend = (_, body) => body
    expect(await run()).toMatchObject({ code: 5, lies: [], events: ['publish', 'approve'] })
  })

  it.each(['/tile/0/000', '/tile/0/002.p/', '/tile/1/000.p/2'])('a wrong tile at %s', async (which) => {
    const { world } = await openScene()
    for (let i = 0; i < 560; i++) world.put(world.snapshot())
    world.bend = (path, body) => (path.includes(which) ? flip(body) : body)
    expect(await run()).toMatchObject({ code: 3, lies: ['proof-invalid'] })
    world.bend = (_, body) => body
    // What was verified once is read again only when it is asked for.
    expect(await run()).toMatchObject({ code: 0 })
    world.bend = (path, body) => (path.includes('/tile/0/000') ? flip(body) : body)
    expect(await run()).toMatchObject({ code: 0 })
    expect(await desk.run({ tiles: 'all' })).toMatchObject({ code: 3, lies: ['proof-invalid'] })
  })

  it('entries that are withheld', async () => {
    const { world } = await openScene()
    world.append()
    world.bend = (path, body) => (path.includes('/entries/') ? undefined : body)
    expect(await run()).toMatchObject({ code: 3, lies: ['registry-error'] })
  })
})

describe('what is served of an approved manifest', () => {
  it.each<[string, (scene: Scene, next: Released) => void, string]>([
    [
      'another manifest',
      ({ world, released }, { manifest }) =>
        world.bundles.set(manifest, world.bundles.get(released.manifest)!),
      'proof-invalid',
    ],
    [
      'an envelope that the key of the namespace did not sign',
      ({ world, acme }, { manifest, event, index }) => {
        const forged = world.version(acme, event.version, people(1, 1).signers[0]!)
        world.bundles.set(manifest, () => world.bundle({ ...forged, index }, index + 2))
      },
      'signature-invalid',
    ],
    [
      'a leaf that the log does not hold',
      ({ world }, { manifest }) => {
        const honest = world.bundles.get(manifest)!
        world.bundles.set(manifest, () =>
          Buffer.from(Buffer.from(honest()).toString('utf8').replace('reviewer', 'reviewex')),
        )
      },
      'proof-mismatch',
    ],
  ])('%s', async (_, act, code) => {
    const scene = await openScene()
    const next = scene.world.release(scene.acme, '1.0.1')
    act(scene, next)
    expect(await run()).toMatchObject({ code: 3, lies: [code] })
  })

  it('nothing at all is an alert; and nobody asks for what is not watched', async () => {
    const { world, acme } = await openScene()
    world.bundles.delete(world.release(acme, '1.0.1').manifest)
    expect(await run()).toMatchObject({ code: 5, alerts: ['manifest-withheld'] })
    world.asked.length = 0
    world.bundles.delete(world.release(acme, '1.0.2').manifest)
    expect(await desk.run({ namespace: ['com.acm'] })).toMatchObject({ code: 0 })
    expect(world.asked.filter((path) => path.includes('/bundles/'))).toEqual([])
  })
})
