import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Principal } from '../../src/auth/scopes.js'
import { addRoutes } from '../../src/http/app.js'
import { openReaders } from '../../src/http/privacy.js'
import type { Rooms } from '../../src/http/rooms.js'
import type { AddRoute } from '../../src/http/route.js'
import {
  addAccount,
  addPublisher,
  approveManifest,
  callerOf,
  publishManifest,
  sampleManifest,
  send,
  startRegistry,
  type Caller,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'

interface Place {
  readonly at: TestRegistry
  readonly reader: Caller
  readonly manifest: string
  readonly revocations: string
}

const PRIVACIES = ['reads', 'all', 'nothing'] as const
type What = (typeof PRIVACIES)[number]
const places = new Map<What, Place>()
beforeAll(async () => {
  for (const what of PRIVACIES) places.set(what, await openPlace(what))
})
afterAll(async () => {
  for (const { at } of places.values()) await at.close()
})

function placeOf(what: What): Place {
  const place = places.get(what)
  if (place === undefined) throw new Error('the registry has not started')
  return place
}

async function openPlace(what: What): Promise<Place> {
  const at = await startRegistry(what === 'nothing' ? {} : { config: { privacy: what } })
  const publisher = await addPublisher(at, 'com.example', await addAccount(at, 'publisher', ['publisher']))
  const judge = await addAccount(at, 'judge', ['reviewer'])
  const sample = sampleManifest(at.identity, { server: 'com.example/weather' })
  const { manifest } = await publishManifest(publisher, sample)
  await approveManifest(judge, manifest)
  const { client } = await addAccount(at, 'reader', ['auditor'])
  const reader = callerOf(at.url, client, 'registry:read')
  return { at, reader, manifest, revocations: at.registry.ledger.publishedRevocations() }
}

/** Paths of every open read of the API's index. */
function apiReads({ manifest }: Place): string[] {
  const paths: string[] = []
  const add: AddRoute = (method, path, { scope }) => {
    if (method === 'get' && scope === undefined && path.startsWith('/v1/')) paths.push(path)
  }
  addRoutes(add, { context: {}, auth: {}, publicUrl: 'https://registry.example' } as unknown as Rooms)
  return paths.map((path) =>
    path
      .replace(':ns', 'com.example')
      .replace(':name', 'weather')
      .replace(':version', '1.0.0')
      .replace(':digest', manifest)
      .replace(':index', '0'),
  )
}

const documents = ({ manifest }: Place): string[] => [
  ...[
    '/v1/status',
    '/v1/root/1',
    '/v1/root/latest',
    '/v1/consistency?from=1&to=2',
    `/v1/bundles/${manifest}`,
  ],
  '/v1/servers/com.example/weather/versions/1.0.0/bundle',
]
const logPaths = ['/log/checkpoint', '/log/checkpoint.committed', '/log/tile/0/000']
const openPaths = ['/.well-known/oauth-protected-resource', '/healthz', '/readyz']

const anonymous = ({ at }: Place, path: string, method = 'GET'): Promise<Reply> => send(at.url, method, path)
const seen = ({ status, body }: Reply) => [status, (body as { code?: string }).code]

describe.each(['reads', 'all'] as const)('a registry that keeps private: %s', (privacy) => {
  const place = () => placeOf(privacy)

  it('tells nobody without a token anything, in any spelling, and says which scope it wants', async () => {
    for (const path of [...apiReads(place()), ...documents(place()), '/v1/events']) {
      const reply = await anonymous(place(), path)
      expect([path, ...seen(reply)]).toEqual([path, 401, 'token-missing'])
      expect(reply.headers.get('www-authenticate')).toContain('resource_metadata=')
      expect(reply.headers.get('access-control-allow-origin')).toBeNull()
      expect((await anonymous(place(), path, 'HEAD')).status).toBe(401)
      const spelt = path.replace('/v1/', '/%761/')
      expect([spelt, [401, 404].includes((await anonymous(place(), spelt)).status)]).toEqual([spelt, true])
    }
  })

  it('is read with registry:read, by whoever has a role, and kept by nobody between', async () => {
    for (const path of documents(place())) {
      const reply = await place().reader.get(path)
      expect([path, reply.status]).toEqual([path, 200])
      expect(reply.headers.get('access-control-allow-origin')).toBeNull()
      expect(reply.headers.get('access-control-expose-headers')).toBeNull()
      expect(reply.headers.get('cache-control')).toMatch(/private|no-store/)
      // It is in memory now, and still for readers alone.
      expect([path, (await anonymous(place(), path)).status]).toEqual([path, 401])
    }
    const statuses = await Promise.all(
      apiReads(place()).map(async (path) => (await place().reader.get(path)).status),
    )
    expect(statuses.filter((status) => status === 401 || status === 403)).toEqual([])
  })

  it('is not read with another scope, by an account without a role, or by a wrong token', async () => {
    const { at } = place()
    const path = '/v1/status'
    const other = callerOf(at.url, place().reader.client, 'registry:audit')
    expect(seen(await other.get(path))).toEqual([403, 'scope-missing'])
    expect(seen(await send(at.url, 'GET', path, { token: 'nonsense' }))).toEqual([401, 'token-invalid'])
    const bare = await addAccount(at, 'bare', ['auditor'])
    const token = await bare.token('registry:read')
    await at.registry.store.updateAccount('bare', { roles: [] })
    expect(seen(await send(at.url, 'GET', path, { token }))).toEqual([403, 'role-missing'])
    expect(seen(await send(at.url, 'GET', '/v1/servers', { token }))).toEqual([403, 'role-missing'])
  })

  it('stays open where clients begin and where hosts report', async () => {
    for (const path of openPaths) expect([path, (await anonymous(place(), path)).status]).toEqual([path, 200])
    const body = '"no note"'
    const headers = { 'content-type': 'text/plain' }
    expect(seen(await send(place().at.url, 'POST', '/v1/log/seen', { body, headers }))).toEqual([
      422,
      'note-invalid',
    ])
  })

  it(`has its log ${privacy === 'all' ? 'closed' : 'open'}`, async () => {
    const expected = privacy === 'all' ? 401 : 200
    for (const path of [...logPaths.slice(0, 2), '/v0.1/servers']) {
      expect([path, (await anonymous(place(), path)).status]).toEqual([path, expected])
      expect([path, (await place().reader.get(path)).status]).toEqual([path, 200])
    }
    const spelt = (await anonymous(place(), '/%6cog/checkpoint')).status
    expect(spelt).toBe(expected)
  })
})

describe('openReaders', () => {
  const principal = {
    account: 'a',
    person: 'a',
    clientId: 'c',
    roles: ['publisher'],
    isBound: false,
  } as const
  const workflow = {
    ...{ ...principal, scopes: ['registry:publish', 'registry:read'] },
    publishes: { trustedPublishers: ['tp'], servers: ['com.example/*'] },
  }
  const asked = { method: 'GET', url: '/v1/status', headers: { authorization: 'x' }, headersDistinct: {} }
  const ask = (who: Principal, method = 'GET') =>
    openReaders('reads', () => Promise.resolve(who)).assertReader(
      { ...asked, method } as unknown as IncomingMessage,
      '/v1/status',
    )

  it('lets no workflow read that is trusted to publish: it publishes, and nothing else', async () => {
    await expect(ask(workflow)).rejects.toMatchObject({ code: 'token-limited' })
    const reader = { ...principal, scopes: ['registry:read'] }
    expect(await ask(reader)).toMatchObject({ account: 'a' })
  })

  it('asks for nothing before a preflight, which has no token, nor where everything is open', () => {
    expect(ask(workflow, 'OPTIONS')).toBeUndefined()
    const open = openReaders(undefined, () => Promise.reject(new Error('asked')))
    expect(open.assertReader(asked as unknown as IncomingMessage, '/v1/status')).toBeUndefined()
  })
})

describe('an open registry', () => {
  it('is the twin: anybody reads, and pages of any origin, too', async () => {
    for (const path of [...documents(placeOf('nothing')), '/v1/servers', '/log/checkpoint']) {
      const reply = await anonymous(placeOf('nothing'), path)
      expect([path, reply.status, reply.headers.get('access-control-allow-origin')]).toEqual([path, 200, '*'])
    }
  })

  it('takes a request whose target is no path for what it is', async () => {
    const socket = connect(Number(new URL(placeOf('reads').at.url).port), '127.0.0.1')
    const text = await new Promise<string>((resolve) => {
      let received = ''
      socket.on('data', (chunk) => (received += chunk.toString()))
      socket.on('close', () => resolve(received))
      socket.write(
        `GET ${placeOf('reads').at.url}/v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      )
    })
    expect(text).toMatch(/^HTTP\/1\.1 (?:400|401|404) /)
  })
})
