import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseBundle, parseEvent, signKeyRevokeEvent, type LogEvent } from 'countersign/core'
import { sendProblem, toProblem } from '../../src/http/problems.js'
import type { Counted } from '../../src/http/metrics/answers.js'
import { openStaticReads, type StaticOptions, type StaticReads } from '../../src/http/static.js'
import type { Ledger } from '../../src/log/ledger.js'
import { StoreError } from '../../src/storage/errors.js'
import type { Store } from '../../src/storage/store.js'
import { rawGet } from '../support/raw-get.js'
import {
  addAccount,
  addKey,
  addPublisher,
  approveManifest,
  expectStatus,
  newKey,
  publishManifest,
  revokeManifest,
  sampleManifest,
  signManifest,
  startRegistry,
  submitKeyEvent,
  type Caller,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'

/** For what happens soon; how soon is nobody's promise. */
const PATIENCE = { timeout: 30_000 }

let at: TestRegistry
let reviewers: readonly Caller[]
let publisher: Publisher
let serial = 0
beforeAll(async () => {
  at = await startRegistry()
  reviewers = await Promise.all(['reviewer', 'reviewer2'].map((name) => addAccount(at, name, ['reviewer'])))
  publisher = await addPublisher(at, 'com.example', await addAccount(at, 'author', ['publisher']))
})
afterAll(async () => {
  await at.close()
})

/** A version that is approved; its tool is nobody else's. */
async function release(by = publisher): Promise<{ digest: string; server: string; tool: string }> {
  const server = `${by.namespace}/server-${++serial}`
  const sample = sampleManifest(at.identity, { server })
  const [tool] = sample.tools
  const definition = { ...tool!.definition, description: `Returns the forecast number ${serial}.` }
  const manifest = sampleManifest(at.identity, { server, tools: [{ definition, permissions: [] }] })
  const { manifest: digest } = await publishManifest(by, manifest)
  await approveManifest(reviewers[0]!, digest)
  const row = await at.registry.store.readManifest(digest as `sha256:${string}`)
  return { digest, server, tool: row!.toolDigests[0]!.digest }
}

/** What another process has: reads of its own over the same log, which nobody tells what to forget. */
interface Sibling {
  readonly url: string
  readonly reads: StaticReads
  close(): Promise<void>
}

async function openSibling(options: Partial<StaticOptions> = {}): Promise<Sibling> {
  const { ledger, store } = at.registry
  const reads = openStaticReads({ ledger, store, ...options })
  const server: Server = createServer((req, res) => {
    Promise.resolve(reads.answer(req, res)).then(
      (answered) => {
        if (!answered) res.writeHead(418).end()
      },
      (error: unknown) => sendProblem(res, toProblem(error, ''), 'trace'),
    )
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = async (): Promise<void> => {
    reads.close()
    await new Promise((closed) => server.close(closed))
  }
  return { url, reads, close }
}

async function withSibling(
  options: Partial<StaticOptions>,
  work: (sibling: Sibling) => Promise<void>,
): Promise<void> {
  const sibling = await openSibling(options)
  try {
    await work(sibling)
  } finally {
    await sibling.close()
  }
}

const bundleOf = ({ digest }: { digest: string }) => `/v1/bundles/${digest}`

async function eventsIn(url: string, path: string): Promise<LogEvent[]> {
  const { status, bytes } = await rawGet(url, path)
  expect([path, status]).toEqual([path, 200])
  return parseBundle(bytes).events.map(({ event }) => parseEvent(event))
}

describe('a bundle that another process changed', () => {
  it.each(['manifest', 'server', 'tool'] as const)('has the reinstatement of its %s', async (kind) => {
    const one = await release()
    const other = await release()
    const base = {
      manifest: `/v1/manifests/${one.digest}`,
      server: `/v1/servers/${one.server}`,
      tool: `/v1/tools/${one.tool}`,
    }[kind]
    await withSibling({}, async ({ url }) => {
      const before = await eventsIn(url, bundleOf(one))
      const untouched = await rawGet(url, bundleOf(other))
      expect(before.map(({ t }) => t)).not.toContain('reinstate')
      const { index } = expectStatus(
        201,
        await reviewers[0]!.post(`${base}/revocation`, { reason: 'found hostile' }),
      ).body
      for (const reviewer of reviewers) {
        await reviewer.post(`${base}/reinstatement`, { after: index, reason: 'a false alarm' })
      }
      for (const path of [bundleOf(one), `/v1/servers/${one.server}/versions/1.0.0/bundle`]) {
        expect((await eventsIn(url, path)).map(({ t }) => t)).toContain('reinstate')
      }
      expect((await rawGet(url, bundleOf(other))).bytes.equals(untouched.bytes)).toBe(true)
    })
  })

  it('is the one of the key under which it was approved again', async () => {
    const rotated = await addPublisher(at, 'com.rotated', publisher.caller)
    const second = newKey()
    await addKey(at, rotated, second, 'sign')
    const manifest = sampleManifest(at.identity, { server: 'com.rotated/server' })
    const { manifest: digest, index } = await publishManifest(rotated, manifest)
    await approveManifest(reviewers[0]!, digest)
    await withSibling({}, async ({ url }) => {
      const before = await rawGet(url, bundleOf({ digest }))
      expect(parseBundle(before.bytes).envelope).toBe(signManifest(manifest, rotated.key))
      const { namespace, key } = rotated
      const { last } = (await rotated.caller.get(`/v1/namespaces/${namespace}`)).body
      const event = {
        namespace,
        kid: key.kid,
        reason: 'compromise',
        invalidFrom: index,
        after: last,
      } as const
      expectStatus(201, await submitKeyEvent(rotated.caller, signKeyRevokeEvent(event, at.identity, key)))
      expectStatus(201, await rotated.caller.post('/v1/manifests', signManifest(manifest, second)))
      await approveManifest(reviewers[0]!, digest)
      // Nothing is revoked or reinstated by this: the log alone tells, and the reads follow it when they hear of it.
      await expect
        .poll(async () => parseBundle((await rawGet(url, bundleOf({ digest }))).bytes).envelope, PATIENCE)
        .toBe(signManifest(manifest, second))
    })
  })

  it('is not the one from before when the log is read slowly: revoked and reinstated meanwhile', async () => {
    const one = await release()
    const { store } = at.registry
    let goOn: () => void = () => undefined
    let reading = Promise.resolve()
    const slow: Store = {
      ...store,
      readEntries: (from, to) => reading.then(() => store.readEntries(from, to)),
    }
    await withSibling({ store: slow }, async ({ url }) => {
      await eventsIn(url, bundleOf(one))
      reading = new Promise((resolve) => (goOn = resolve))
      const after = await revokeManifest(reviewers[0]!, one.digest)
      for (const reviewer of reviewers) {
        await reviewer.post(`/v1/manifests/${one.digest}/reinstatement`, { after, reason: 'a false alarm' })
      }
      const events = eventsIn(url, bundleOf(one))
      // Connections are taken in turn: by this answer the question before it has come in, too.
      expect((await rawGet(url, '/v1/root/latest')).status).toBe(200)
      goOn()
      expect((await events).map(({ t }) => t)).toContain('reinstate')
    })
  })

  it('is made again where the log cannot be read', async () => {
    const one = await release()
    const { store } = at.registry
    let isBroken = false
    const broken: Store = {
      ...store,
      readEntries: (from, to) =>
        isBroken ? Promise.reject(new StoreError('unavailable', 'down')) : store.readEntries(from, to),
    }
    await withSibling({ store: broken }, async ({ url }) => {
      await eventsIn(url, bundleOf(one))
      isBroken = true
      const after = await revokeManifest(reviewers[0]!, one.digest)
      for (const reviewer of reviewers) {
        await reviewer.post(`/v1/manifests/${one.digest}/reinstatement`, { after, reason: 'a false alarm' })
      }
      isBroken = false
      expect((await eventsIn(url, bundleOf(one))).map(({ t }) => t)).toContain('reinstate')
    })
  })
})

describe('where others may have published', () => {
  let looks = 0
  let fails = false
  const shared = (): Ledger => ({
    ...at.registry.ledger,
    sync: () => {
      looks++
      return fails ? Promise.reject(new StoreError('unavailable', 'the database is down')) : Promise.resolve()
    },
  })
  const sharing = () => ({ ledger: shared(), store: { ...at.registry.store, isShared: true } })
  beforeEach(() => {
    looks = 0
    fails = false
  })

  it('a finished document costs no look at the database, and whatever moves costs one', async () => {
    const one = await release()
    await withSibling(sharing(), async ({ url }) => {
      for (const [path, first, second] of [
        [bundleOf(one), 1, 0],
        ['/v1/root/1', 1, 0],
        ['/log/tile/0/000.p/2', 1, 0],
        ['/v1/status', 1, 1],
        ['/log/checkpoint', 1, 1],
        [`/v1/bundles/sha256:${'0'.repeat(64)}`, 1, 1],
      ] as const) {
        for (const expected of [first, second]) {
          looks = 0
          await rawGet(url, path)
          expect([path, looks]).toEqual([path, expected])
        }
      }
    })
  })

  it('while the database is down, what is finished is served and the rest is 503', async () => {
    const [kept, unknown] = [await release(), await release()]
    await withSibling(sharing(), async ({ url }) => {
      await rawGet(url, bundleOf(kept))
      fails = true
      for (const [path, status] of [
        [bundleOf(kept), 200],
        [bundleOf(unknown), 503],
        ['/v1/status', 503],
        ['/log/checkpoint', 503],
        [`/v1/bundles/sha256:${'0'.repeat(64)}`, 503],
      ] as const) {
        const reply = await rawGet(url, path)
        expect([path, reply.status]).toEqual([path, status])
        if (status === 503) expect(reply.headers['retry-after']).toBe('2')
      }
      fails = false
      expect((await rawGet(url, bundleOf(unknown))).status).toBe(200)
    })
  })
})

describe('a registry that is read with a token', () => {
  const readers = {
    isPrivate: true,
    assertReader: (req: IncomingMessage, path: string) => {
      if (path.startsWith('/log/')) return undefined
      if (req.headers.authorization === 'Bearer good') return Promise.resolve()
      return Promise.reject(new StoreError('unavailable', 'no reader'))
    },
  }

  it('asks before every byte, also of what is finished, and keeps it out of shared caches', async () => {
    const one = await release()
    await withSibling({ readers }, async ({ url }) => {
      for (const path of [bundleOf(one), '/v1/status', bundleOf(one).replace(':', '%3A')]) {
        const read = await rawGet(url, path, { authorization: 'Bearer good' })
        expect([path, read.status]).toEqual([path, 200])
        expect(read.headers['cache-control']).toMatch(/^private, max-age=/)
        expect(read.headers['access-control-allow-origin']).toBeUndefined()
        for (const headers of [{}, { 'if-none-match': read.headers.etag ?? '' }]) {
          expect([path, (await rawGet(url, path, headers)).status]).toEqual([path, 503])
        }
        const known = { authorization: 'Bearer good', 'if-none-match': read.headers.etag ?? '' }
        expect((await rawGet(url, path, known)).headers['cache-control']).toMatch(/^private/)
      }
      const open = await rawGet(url, '/log/checkpoint')
      expect([open.status, open.headers['cache-control']]).toEqual([200, 'public, max-age=5'])
      // Whoever knows who may read answers for it.
      expect((await rawGet(url, bundleOf(one), {}, 'OPTIONS')).status).toBe(418)
    })
  })
})

describe('what is counted', () => {
  it('is the pattern of the path, finished or not, found or not', async () => {
    const one = await release()
    const counted: Counted[] = []
    await withSibling({ onAnswer: (answer) => counted.push(answer) }, async ({ url }) => {
      for (const path of [bundleOf(one), bundleOf(one), '/v1/bundles/x', '/v1/status', '/nowhere']) {
        await rawGet(url, path)
      }
      await expect.poll(() => counted.length, PATIENCE).toBe(4)
      expect(counted.map(({ route, method, status }) => [route, method, status])).toEqual([
        ['/v1/bundles/:digest', 'GET', 200],
        ['/v1/bundles/:digest', 'GET', 200],
        ['/v1/bundles/:digest', 'GET', 404],
        ['/v1/status', 'GET', 200],
      ])
      expect(counted.every(({ seconds }) => seconds >= 0)).toBe(true)
    })
  })
})
