import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openConsumer, type Consumer } from '../support/event-stream.js'
import {
  addAccount,
  addPublisher,
  approveManifest,
  callerOf,
  expectStatus,
  publishManifest,
  revokeManifest,
  sampleManifest,
  send,
  startRegistry,
  type Caller,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'

let at: TestRegistry
let reviewers: readonly Caller[]
let publisher: Publisher
let other: Publisher
let serial = 0
beforeAll(async () => {
  at = await startRegistry()
  reviewers = await Promise.all(['reviewer', 'reviewer2'].map((name) => addAccount(at, name, ['reviewer'])))
  const author = await addAccount(at, 'author', ['publisher'])
  publisher = await addPublisher(at, 'com.example', author)
  other = await addPublisher(at, 'org.other', author)
})
afterAll(async () => {
  await at.close()
})

async function publish(by = publisher) {
  const server = `${by.namespace}/server-${++serial}`
  const [tool] = sampleManifest(at.identity, { server }).tools
  // Nobody else's: what is decided of one is nothing to the others.
  const definition = { ...tool!.definition, description: `Returns the forecast number ${serial}.` }
  const tools = [{ definition, permissions: [] }]
  const { manifest, index: after } = await publishManifest(by, sampleManifest(at.identity, { server, tools }))
  return { manifest, server, after }
}

async function release(by = publisher) {
  const published = await publish(by)
  const index = await approveManifest(reviewers[0]!, published.manifest)
  return { ...published, index }
}

async function withConsumer(
  work: (consumer: Consumer) => Promise<void>,
  path?: string,
  headers?: Record<string, string>,
): Promise<void> {
  const consumer = await openConsumer(at.url, path, headers)
  try {
    await work(consumer)
  } finally {
    consumer.close()
  }
}

const told = ({ events }: Consumer) => events.map(({ id, type }) => [id, type])

describe('what is streamed', () => {
  it('is what is decided from now on, in the order of the log, under its positions', async () => {
    await release()
    await withConsumer(async (consumer) => {
      expect(consumer.status).toBe(200)
      expect(consumer.headers['content-type']).toBe('text/event-stream; charset=utf-8')
      expect(consumer.headers['cache-control']).toBe('no-store, no-transform')
      expect(consumer.headers['access-control-allow-origin']).toBe('*')
      expect(consumer.headers['content-encoding']).toBeUndefined()
      const { manifest, server, index } = await release()
      const revoked = await revokeManifest(reviewers[0]!, manifest, 'found hostile')
      const path = `/v1/manifests/${manifest}/reinstatement`
      const again = { after: revoked, reason: 'a false alarm' }
      await reviewers[0]!.post(path, again)
      const lifted = expectStatus(201, await reviewers[1]!.post(path, again)).body.index
      await consumer.reached(3)
      expect(told(consumer)).toEqual([
        [index, 'approve'],
        [revoked, 'revoke'],
        [lifted, 'reinstate'],
      ])
      const version = '1.0.0'
      expect(consumer.events.map(({ data }) => data)).toEqual([
        { index, type: 'approve', manifest, server, version },
        {
          ...{ index: revoked, type: 'revoke', target: 'manifest', manifest, server, version },
          reason: 'found hostile',
        },
        {
          ...{ index: lifted, type: 'reinstate', target: 'manifest', manifest, server, version },
          reason: 'a false alarm',
        },
      ])
    })
  })

  it('never names what was never public, nor says why', async () => {
    await withConsumer(async (consumer) => {
      const hidden = await publish()
      expectStatus(
        201,
        await reviewers[0]!.post(`/v1/review/${hidden.manifest}/rejection`, {
          after: hidden.after,
          reason: 'secret plans',
        }),
      )
      const withdrawn = await publish()
      expectStatus(
        201,
        await publisher.caller.post(`/v1/manifests/${withdrawn.manifest}/withdrawal`, {
          after: withdrawn.after,
          reason: 'not yet',
        }),
      )
      await consumer.reached(2)
      expect(consumer.events.map(({ data }) => data)).toEqual([
        { index: consumer.events[0]!.id, type: 'reject', target: 'manifest', manifest: hidden.manifest },
        { index: consumer.events[1]!.id, type: 'withdraw', target: 'manifest', manifest: withdrawn.manifest },
      ])
      for (const secret of [hidden.server, withdrawn.server, 'secret plans', 'not yet']) {
        expect(consumer.text()).not.toContain(secret)
      }
    })
  })

  it('is of one namespace and of these types, for whoever asks for that', async () => {
    await withConsumer(async (all) => {
      await withConsumer(async (own) => {
        await withConsumer(async (revocations) => {
          const [mine, theirs] = [await release(publisher), await release(other)]
          const revoked = [
            await revokeManifest(reviewers[0]!, mine.manifest),
            await revokeManifest(reviewers[0]!, theirs.manifest),
          ]
          await Promise.all([all.reached(4), own.reached(2), revocations.reached(2)])
          expect(told(all)).toEqual([
            [mine.index, 'approve'],
            [theirs.index, 'approve'],
            [revoked[0], 'revoke'],
            [revoked[1], 'revoke'],
          ])
          expect(told(own)).toEqual([
            [theirs.index, 'approve'],
            [revoked[1], 'revoke'],
          ])
          expect(told(revocations)).toEqual([
            [revoked[0], 'revoke'],
            [revoked[1], 'revoke'],
          ])
        }, '/v1/events?types=revoke,reinstate')
      }, '/v1/events?namespace=Org.Other')
    })
  })

  it('tells whoever follows a namespace of tools and trust roots, too', async () => {
    const { manifest } = await release(other)
    const row = await at.registry.store.readManifest(manifest as `sha256:${string}`)
    const tool = row!.toolDigests[0]!.digest
    await withConsumer(async (consumer) => {
      const path = `/v1/tools/${tool}/revocation`
      expectStatus(201, await reviewers[0]!.post(path, { reason: 'found hostile' }))
      await consumer.reached(1)
      expect(consumer.events[0]!.data).toMatchObject({ type: 'revoke', target: 'tool', tool })
    }, '/v1/events?namespace=com.example')
  })
})

describe('whoever comes again', () => {
  it('gets what followed, by header before address, none twice and none left out', async () => {
    const first = await release()
    const later: number[] = []
    for (let i = 0; i < 4; i++) later.push((await release()).index)
    const ids = (consumer: Consumer) => consumer.events.map(({ id }) => id)
    await withConsumer(async (consumer) => {
      await consumer.reached(4)
      expect(ids(consumer)).toEqual(later)
    }, `/v1/events?after=${first.index}`)
    const last = { 'last-event-id': String(later[1]) }
    await withConsumer(
      async (consumer) => {
        await consumer.reached(2)
        expect(ids(consumer)).toEqual(later.slice(2))
      },
      `/v1/events?after=${first.index}`,
      last,
    )
  })

  it('gets the same after a restart, and what was decided before it came', async () => {
    const before = await openConsumer(at.url)
    const first = await release()
    await before.reached(1)
    const second = await release()
    await before.reached(2)
    const seen = String(first.index)
    const ended = before.ended
    at = await at.restart()
    await ended
    reviewers = reviewers.map(({ client }) => callerOf(at.url, client, 'registry:review'))
    publisher = { ...publisher, caller: callerOf(at.url, publisher.caller.client, 'registry:publish') }
    await withConsumer(
      async (consumer) => {
        await consumer.reached(1)
        expect(told(consumer)).toEqual([[second.index, 'approve']])
      },
      '/v1/events',
      { 'last-event-id': seen },
    )
  })

  it.each([
    '/v1/events?after=x',
    '/v1/events?after=-1',
    '/v1/events?after=01',
    '/v1/events?after=1&after=2',
    '/v1/events?after=9007199254740993',
    '/v1/events?after=999999999',
    '/v1/events?types=',
    '/v1/events?types=publish',
    '/v1/events?types=revoke,toString',
    '/v1/events?namespace=nodots',
    `/v1/events?namespace=${'a.'.repeat(100)}a`,
    '/v1/events?other=1',
  ])('is refused with %s', async (path) => {
    const reply = await send(at.url, 'GET', path)
    expect([reply.status, reply.headers.get('content-type')]).toEqual([400, 'application/problem+json'])
  })

  it('is refused with an id that is none', async () => {
    for (const id of ['x', '999999999', '1, 2']) {
      const reply = await send(at.url, 'GET', '/v1/events', { headers: { 'last-event-id': id } })
      expect([id, reply.status]).toEqual([id, 400])
    }
  })

  it('asks with HEAD and is answered at once', async () => {
    const reply = await send(at.url, 'HEAD', '/v1/events')
    expect([reply.status, reply.text]).toEqual([200, ''])
  })
})
