import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { memoryInProcess } from 'countersign'
import { openFolder } from '../../client/src/mirror/folder.js'
import type { MirrorPorts } from '../../client/src/mirror/ports.js'
import type { LeftOut } from '../../client/src/mirror/servers.js'
import { openRegistryApi, openRegistryReader } from '../../client/src/node/registry-files.js'
import { codeOfAsync } from '../client/support.js'
import { releaseSample } from '../support/registry.js'
import { serve, serveFolder, type TestMirror, type WebServer } from '../support/mirror.js'
import { CALC, openStage, tools, WEATHER } from './support.js'

// A host pins what nobody signed on first use: what a mirror merely lacks must never look like that.

const stage = openStage()
const { release, newMirror, closeLater } = stage

async function through(status: (path: string) => number | undefined): Promise<WebServer> {
  const web = await serve((request, response) => {
    const answer = async (): Promise<void> => {
      const path = request.url ?? ''
      const reply = await fetch(stage.at.url + path)
      const body = Buffer.from(await reply.arrayBuffer())
      response.writeHead(status(path) ?? reply.status).end(body)
    }
    void answer()
  })
  return closeLater(web)
}

const portsOf = ({ url }: WebServer) => ({ api: openRegistryApi(url), read: openRegistryReader(url) })

/** What a fresh host makes of a package that only a look-up can name. */
async function review(mirror: TestMirror, text: string, url?: string) {
  const host = await mirror.host(url === undefined ? {} : { url })
  const { verdict, pin } = await host.review({ slot: 'x', package: text, tools })
  return [verdict, pin]
}

const SIGNED = 'npm:@acme/weather@1.0.0'
const UNSIGNED = 'npm:left-pad@1.0.0'
const REFUSED = ['registry-unreachable', undefined]
const PINNED = ['unknown-server', true]

describe('what nobody signed', () => {
  it('is pinned over a whole mirror, as over the registry', async () => {
    const mirror = await newMirror()
    await mirror.run()
    const web = await serveFolder(mirror.out)
    closeLater(web)
    for (const url of [stage.at.url, mirror.url, web.url]) {
      expect(await review(mirror, UNSIGNED, url), url).toEqual(PINNED)
      expect(await review(mirror, SIGNED, url), url).toEqual(['verified', undefined])
    }
  })
})

describe('a signed server is not taken for that', () => {
  it.each([404, 403])('where something answers its look-up with %i', async (code) => {
    const mirror = await newMirror()
    const { url } = await through((path) => (path.startsWith('/v1/lookup') ? code : undefined))
    expect(await review(mirror, SIGNED, url)).toEqual(REFUSED)
    const host = await mirror.host({ url })
    expect((await host.verify(WEATHER, '1.0.0')).digest).toBe(stage.weather)
    expect(await codeOfAsync(() => host.verify('com.acme/none'))).toBe('unknown-server')
  })

  it('where a registry lists more servers than a host takes in', async () => {
    const mirror = await newMirror()
    const crowd = Array.from({ length: 65 }, (_, i) => ({
      server: `com.crowd/s${i}`,
      role: 'publisher',
      versions: [],
    }))
    const web = await serve((request, response) => {
      if (request.url?.startsWith('/v1/lookup?') === true) {
        response.end(JSON.stringify({ servers: crowd }))
        return
      }
      void fetch(stage.at.url + (request.url ?? '')).then(async (reply) =>
        response.writeHead(reply.status).end(Buffer.from(await reply.arrayBuffer())),
      )
    })
    closeLater(web)
    expect(await review(mirror, SIGNED, web.url)).toEqual(REFUSED)
  })

  it('in a copy that is half there', async () => {
    const mirror = await newMirror()
    await mirror.run()
    rmSync(join(mirror.out, 'mirror.json'))
    rmSync(join(mirror.out, 'v1/lookup'), { recursive: true })
    expect(await review(mirror, SIGNED)).toEqual(REFUSED)
  })

  it('at any moment while a mirror is made for the first time', async () => {
    const mirror = await newMirror()
    const seen = await lookedAt(mirror, {})
    expect(seen.map(([, pin]) => pin).every((pin) => pin === undefined)).toBe(true)
    expect(seen.at(-1)).toEqual(['verified', undefined])
  })

  it('at any moment while a mirror of all becomes one of some, and the other way round', async () => {
    const mirror = await newMirror()
    await mirror.run()
    for (const servers of [[CALC], 'all'] as const) {
      const seen = await lookedAt(mirror, { servers })
      expect(seen.length).toBeGreaterThan(3)
      expect(seen.filter(([, pin]) => pin !== undefined)).toEqual([])
      expect(seen.at(-1)).toEqual(servers === 'all' ? ['verified', undefined] : REFUSED)
    }
    expect(await review(mirror, UNSIGNED)).toEqual(PINNED)
  })

  /** What a host sees after each change a run makes: as if it were killed there. */
  async function lookedAt(mirror: TestMirror, change: Partial<MirrorPorts>) {
    const seen: unknown[][] = []
    const look = async (): Promise<void> => void seen.push(await review(mirror, SIGNED))
    const folder = await openFolder(mirror.out)
    await mirror.run({
      ...change,
      folder: {
        ...folder,
        draft: async (path, bytes) => {
          const draft = await folder.draft(path, bytes)
          return { path, install: () => draft.install().then(look) }
        },
        write: (path, bytes) => folder.write(path, bytes).then(look),
        remove: (path) => folder.remove(path).then(look),
      },
    })
    return seen
  }

  it('where a mirror left something of it out', async () => {
    const mirror = await newMirror()
    const web = await through((path) => (path === `/v1/servers/${WEATHER}/versions` ? 404 : undefined))
    await mirror.run({ ...portsOf(web), memory: memoryInProcess() })
    expect(await review(mirror, SIGNED)).toEqual(REFUSED)
    expect((await (await mirror.host()).verify(CALC, '1.0.0')).server).toBe(CALC)
    // Nothing is left out any more: everything else is nobody's again.
    await mirror.run()
    expect([await review(mirror, SIGNED), await review(mirror, UNSIGNED)]).toEqual([
      ['verified', undefined],
      PINNED,
    ])
  })

  it('in a mirror of everything in a mirror of some', async () => {
    const [some, copy] = [await newMirror(), await newMirror()]
    await some.run({ servers: [CALC] })
    const ports = { api: openRegistryApi(some.url), read: openRegistryReader(some.url) }
    const done = await copy.run(ports)
    expect(done.leftOut.map(({ server }) => server)).toEqual([WEATHER])
    expect(await review(copy, SIGNED)).toEqual(REFUSED)
  })
})

describe('a registry that stops listing what it approved', () => {
  const hidden = (path: string) => (path === `/v1/servers/${WEATHER}/versions` ? 404 : undefined)
  const codes = ({ leftOut }: { leftOut: readonly LeftOut[] }) =>
    leftOut.map(({ what, code }) => [what, code])

  it('is told of by every run, not by the first one alone', async () => {
    const mirror = await newMirror()
    const web = portsOf(await through(hidden))
    for (let run = 0; run < 3; run++) {
      expect(codes(await mirror.run(web))).toEqual([[WEATHER, 'registry-error']])
    }
    expect(codes(await mirror.run())).toEqual([])
    expect((await (await mirror.host()).verify(WEATHER, '1.0.0')).digest).toBe(stage.weather)
  })

  it('takes nothing out of a mirror that holds it', async () => {
    const mirror = await newMirror()
    await mirror.run()
    await release(WEATHER, '1.5.0')
    const web = portsOf(await through(hidden))
    for (let run = 0; run < 2; run++) {
      expect(codes(await mirror.run(web))).toEqual([
        [WEATHER, 'registry-error'],
        [WEATHER, 'registry-error'],
      ])
      expect(await review(mirror, SIGNED)).toEqual(['verified', undefined])
    }
    expect(codes(await mirror.run())).toEqual([])
    expect((await (await mirror.host()).verify(WEATHER)).version).toBe('1.5.0')
  })
})

it('a registry that lists what it approved under another version takes nothing out either', async () => {
  const mirror = await newMirror()
  await mirror.run()
  const web = await serve((request, response) => {
    void fetch(stage.at.url + (request.url ?? '')).then(async (reply) => {
      const body = Buffer.from(await reply.arrayBuffer())
      const isList = request.url === `/v1/servers/${WEATHER}/versions`
      const changed = isList ? body.toString().replaceAll('"1.0.0"', '"9.9.9"') : body
      response.writeHead(reply.status).end(changed)
    })
  })
  closeLater(web)
  const done = await mirror.run({ ...portsOf(web), again: true })
  expect(done.leftOut.map(({ what }) => what)).toEqual([`${WEATHER}@9.9.9`])
  expect(await review(mirror, SIGNED)).toEqual(['verified', undefined])
})

describe('what one document cannot do', () => {
  it('is end a run: a bundle the registry fails at is left out, and asked for again', async () => {
    const mirror = await newMirror()
    const web = await through((path) => (path === `/v1/bundles/${stage.weather}` ? 500 : undefined))
    const done = await mirror.run(portsOf(web))
    expect(done.leftOut).toMatchObject([{ what: `${WEATHER}@1.0.0`, code: 'registry-unreachable' }])
    expect((await (await mirror.host()).verify(CALC, '1.0.0')).server).toBe(CALC)
    expect((await mirror.run()).leftOut).toEqual([])
    expect((await (await mirror.host()).verify(WEATHER, '1.0.0')).digest).toBe(stage.weather)
  })

  it('is take away the bundle that is there', async () => {
    const mirror = await newMirror()
    await mirror.run()
    const web = await through((path) => (path === `/v1/bundles/${stage.weather}` ? 404 : undefined))
    const done = await mirror.run({ ...portsOf(web), again: true })
    expect(done.leftOut).toMatchObject([{ what: `${WEATHER}@1.0.0`, code: 'registry-error' }])
    expect(await review(mirror, SIGNED)).toEqual(['verified', undefined])
    // What could not be fetched anew is asked for again, though something is there.
    expect((await mirror.run()).leftOut).toEqual([])
    expect(mirror.asked).toContain(`/v1/bundles/${stage.weather}`)
  })
})

describe('damage in the folder', () => {
  it.each(['v1/root/1', 'v1/lookup'])('at %s is mended', async (path) => {
    const mirror = await newMirror()
    await mirror.run()
    const before = new Map(
      mirror.files().map((file) => [file, readFileSync(join(mirror.out, file), 'latin1')]),
    )
    for (const file of mirror.files().filter((one) => one.startsWith(path))) {
      writeFileSync(join(mirror.out, file), Buffer.from([0xff, 0x00]))
    }
    expect((await mirror.run({ again: true })).leftOut).toEqual([])
    for (const file of mirror.files().filter((one) => one.startsWith(path))) {
      expect(readFileSync(join(mirror.out, file), 'latin1'), file).toBe(before.get(file))
    }
    expect(await review(mirror, SIGNED)).toEqual(['verified', undefined])
  })

  it('of one look-up does not hide the others that are found there', async () => {
    const mirror = await newMirror()
    const packages = [{ registryType: 'npm' as const, identifier: '@acme/shared' }]
    const publish = (server: string) => releaseSample(stage.at, stage.acme, { server, packages })
    await publish('com.acme/shared-a')
    await mirror.run()
    const path = mirror.files().filter((file) => file.startsWith('v1/lookup'))
    for (const file of path) writeFileSync(join(mirror.out, file), 'not JSON')
    await publish('com.acme/shared-b')
    expect((await mirror.run()).leftOut).toEqual([])
    const found = await openRegistryApi(mirror.url).lookup({ package: 'npm:@acme/shared' })
    expect(found.map(({ server }) => server)).toEqual(['com.acme/shared-a', 'com.acme/shared-b'])
  })
})

it('a run whose lock was taken over touches nothing of the other run', async () => {
  const mirror = await newMirror()
  const folder = await openFolder(mirror.out)
  await mirror.run({ folder })
  const before = mirror.files()
  const theirs = await folder.draft('v1/status', new Uint8Array([1]))
  const refused = (): Promise<never> => Promise.reject(new Error('taken over'))
  await expect(mirror.run({ assertHeld: refused })).rejects.toThrow('taken over')
  await theirs.install()
  expect(mirror.files()).toEqual(before)
})

it('servers that are asked for and are not there are told of by every run', async () => {
  const mirror = await newMirror()
  for (let run = 0; run < 2; run++) {
    const { leftOut } = await mirror.run({ servers: [CALC, 'com.acme/none'] })
    expect(leftOut.map(({ what, code }) => [what, code])).toEqual([['com.acme/none', 'unknown-server']])
  }
  expect((await mirror.run({ servers: [CALC] })).leftOut).toEqual([])
})
