import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { memoryInProcess } from 'countersign'
import { openRegistryApi } from '../../client/src/node/registry-files.js'
import {
  addPublisher,
  approveManifest,
  publishManifest,
  sampleManifest,
  startRegistry,
  type TestRegistry,
} from '../support/registry.js'
import { openTestMirror, serve, type TestMirror } from '../support/mirror.js'

// What a host reads of a mirror is whatever somebody put there.

const WEATHER = 'com.acme/weather'
const SIGNED = 'npm:@acme/weather@1.0.0'
const tools = sampleManifest('x', { server: WEATHER }).tools.map(({ definition }) => definition)

let at: TestRegistry
let mirror: TestMirror
let shown: string[]
const open: { close(): unknown }[] = []

beforeAll(async () => {
  at = await startRegistry()
  const acme = await addPublisher(at, 'com.acme')
  const packages = [{ registryType: 'npm' as const, identifier: '@acme/weather', version: '1.0.0' }]
  const manifest = sampleManifest(at.identity, { server: WEATHER, version: '1.0.0', packages })
  const { manifest: digest } = await publishManifest(acme, manifest)
  await approveManifest(at.admin, digest, 'looked at')
  mirror = await openTestMirror(at)
  await mirror.run()
  shown = mirror.files()
})
afterAll(async () => {
  mirror.close()
  await at.close()
})
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function review(url?: string, memory = memoryInProcess()) {
  const host = await mirror.host({ memory, ...(url !== undefined && { url }) })
  const { verdict, pin, allowed } = await host.review({ slot: 'x', package: SIGNED, tools })
  return { verdict, pin, allowed: allowed.length }
}

const VERIFIED = { verdict: 'verified', pin: undefined, allowed: 1 }

type Put = (file: string) => void

const OBSTACLES: [string, Put][] = [
  ['a pipe', (file) => void execFileSync('mkfifo', [file])],
  ['an endless device', (file) => symlinkSync('/dev/zero', file)],
  [
    'a folder',
    (file) => {
      mkdirSync(file)
    },
  ],
  ['a link to itself', (file) => symlinkSync(file, file)],
  ['a link that leads nowhere', (file) => symlinkSync(`${file}.gone`, file)],
  ['a link out of the tree', (file) => symlinkSync('/etc/passwd', file)],
  [
    'a huge file',
    (file) => {
      writeFileSync(file, '')
      truncateSync(file, 8 * 1024 ** 3)
    },
  ],
  ['an empty file', (file) => writeFileSync(file, '')],
  ['half of a file', (file) => writeFileSync(file, '{"servers":[')],
]

describe.each(OBSTACLES)('%s in the place of', (_what, put) => {
  // A trust root is not asked for again by who pinned its first version.
  const documents = ['v1/status', 'v1/lookup/', 'v1/bundles/', 'mirror.json']

  it.each(documents)('%s allows nothing and pins nothing', async (start) => {
    const paths = shown.filter((path) => path.startsWith(start))
    expect(paths.length).toBeGreaterThan(0)
    for (const path of paths) {
      const file = join(mirror.out, path)
      const bytes = readFileSync(file)
      rmSync(file)
      put(file)
      try {
        const { pin, allowed, verdict } = await review()
        // What a mirror says of itself is asked only where something is not found.
        if (start === 'mirror.json') expect({ verdict, pin, allowed }).toEqual(VERIFIED)
        else expect([pin, allowed, verdict === 'verified'], path).toEqual([undefined, 0, false])
      } finally {
        rmSync(file, { recursive: true })
        writeFileSync(file, bytes)
      }
    }
    expect(await review()).toEqual(VERIFIED)
  })

  it('the next trust root keeps nobody waiting', async () => {
    const file = join(mirror.out, 'v1/root/2')
    put(file)
    try {
      const { pin, verdict } = await review()
      expect([pin, ['verified', 'root-outdated', 'registry-unreachable']]).toEqual([
        undefined,
        expect.arrayContaining([verdict]) as unknown,
      ])
    } finally {
      rmSync(file, { recursive: true })
    }
  })
})

describe('a web server', () => {
  it('that answers everything with a page for people allows and pins nothing', async () => {
    const web = await serve((_, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Home</title>'),
    )
    open.push(web)
    expect(await review(web.url)).toEqual({ verdict: 'root-outdated', pin: undefined, allowed: 0 })
  })

  it.each(['/v1/status', '/v1/bundles/', '/v1/lookup', '/v1/consistency', '/log/'])(
    'that sends who asks for %s elsewhere is not followed there',
    async (start) => {
      let followed = 0
      const elsewhere = await serve((request, response) => {
        followed += 1
        void fetch(at.url + (request.url ?? '')).then(async (reply) =>
          response.writeHead(reply.status).end(Buffer.from(await reply.arrayBuffer())),
        )
      })
      const web = await serve((request, response) => {
        const path = request.url ?? ''
        if (path.startsWith(start)) {
          response.writeHead(307, { location: elsewhere.url + path }).end()
          return
        }
        void fetch(at.url + path).then(async (reply) =>
          response.writeHead(reply.status).end(Buffer.from(await reply.arrayBuffer())),
        )
      })
      open.push(elsewhere, web)
      const { pin, allowed } = await review(web.url)
      expect([followed, pin]).toEqual([0, undefined])
      if (start.startsWith('/v1/s') || start.startsWith('/v1/b')) expect(allowed).toBe(0)
    },
  )

  it('that answers what is packed small and is large when unpacked is not read to its end', async () => {
    const { gzipSync } = await import('node:zlib')
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20))
    const web = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
    )
    open.push(web)
    const before = process.memoryUsage().arrayBuffers
    expect((await review(web.url)).allowed).toBe(0)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024)
  })
})

describe('a mirror of two runs at once', () => {
  it('is refused or verified, and never evidence against an honest registry', async () => {
    const old = new Map(shown.map((path) => [path, readFileSync(join(mirror.out, path))]))
    const acme = await addPublisher(at, 'org.example')
    const manifest = sampleManifest(at.identity, { server: 'org.example/other', version: '1.0.0' })
    const { manifest: digest } = await publishManifest(acme, manifest)
    await approveManifest(at.admin, digest, 'looked at')
    const memory = memoryInProcess()
    await review(undefined, memory)
    await mirror.run()
    await review(undefined, memory)
    const now = new Map(mirror.files().map((path) => [path, readFileSync(join(mirror.out, path))]))
    for (const [path, bytes] of old) {
      writeFileSync(withFolder(join(mirror.out, path)), bytes)
      for (const known of [memory, memoryInProcess()]) {
        const { pin, verdict } = await review(undefined, known)
        expect([pin, verdict === 'equivocation'], path).toEqual([undefined, false])
      }
      const newer = now.get(path)
      if (newer === undefined) rmSync(join(mirror.out, path))
      else writeFileSync(join(mirror.out, path), newer)
    }
    expect((await memory.readWorld(at.identity))?.evidence).toEqual([])
    expect(await review(undefined, memory)).toEqual(VERIFIED)
    expect((await openRegistryApi(mirror.url).fetchVersions('org.example/other')).length).toBe(1)
  })

  const withFolder = (file: string): string => {
    mkdirSync(dirname(file), { recursive: true })
    return file
  }
})
