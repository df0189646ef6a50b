import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { memoryInProcess, openHost, pinTrust, registryApi, type HostOptions } from 'countersign'
import {
  addPublisher,
  approveManifest,
  callerOf,
  publishManifest,
  sampleManifest,
  startRegistry,
} from '../support/registry.js'
import { openWorld } from '../support/world.js'
import { codeOf, codeOfAsync } from './support.js'

// A registry that is read by whom it knows, and what a token for it may not be told to.

const open: Server[] = []
afterEach(() => {
  for (const server of open.splice(0)) server.close().closeAllConnections()
})

interface Seen {
  readonly url: string
  readonly method: string
  readonly headers: IncomingHttpHeaders
}

async function serve(answer: RequestListener): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer((req, res) => {
    seen.push({ url: req.url ?? '', method: req.method ?? '', headers: req.headers })
    answer(req, res)
  })
  open.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

const authorizations = (seen: readonly Seen[]) => seen.map(({ headers }) => headers.authorization)

describe('a token', () => {
  it('goes with every read, and with nothing else', async () => {
    const { url, seen } = await serve((_, res) => res.end('x'))
    const api = registryApi(url, { token: 'ab.cd-ef' })
    await api.fetchStatus()
    await api.fetchBundle(`sha256:${'0'.repeat(64)}`)
    await codeOfAsync(() => api.lookup({ package: 'npm:x' }))
    expect(seen.length).toBeGreaterThanOrEqual(3)
    expect(new Set(authorizations(seen))).toEqual(new Set(['Bearer ab.cd-ef']))
    seen.length = 0
    await api.reportSeen?.('a note\n')
    expect(seen.map(({ method }) => method)).toEqual(['POST'])
    expect(authorizations(seen)).toEqual([undefined])
    seen.length = 0
    await registryApi(url).fetchStatus()
    expect(authorizations(seen)).toEqual([undefined])
  })

  it('is asked for anew for each request', async () => {
    const { url, seen } = await serve((_, res) => res.end('x'))
    let count = 0
    const api = registryApi(url, { token: () => Promise.resolve(`token-${++count}`) })
    await api.fetchStatus()
    await api.fetchStatus()
    expect(authorizations(seen)).toEqual(['Bearer token-1', 'Bearer token-2'])
  })

  it('follows no redirect', async () => {
    const other = await serve((_, res) => res.end('{}'))
    const { url } = await serve((_, res) => res.writeHead(302, { location: `${other.url}/v1/status` }).end())
    const api = registryApi(url, { token: 'secret-token' })
    expect(await codeOfAsync(() => api.fetchStatus())).toBe('registry-unreachable')
    expect(other.seen).toEqual([])
  })

  it('is sent over https alone, but to this machine', () => {
    const of = (url: string, token?: string) =>
      codeOf(() => registryApi(url, { allowHttp: true, ...(token !== undefined && { token }) }))
    expect(of('http://registry.example.com', 'x')).toBe('usage')
    expect(of('http://registry.example.com')).toBeUndefined()
    expect(of('https://registry.example.com', 'x')).toBeUndefined()
    expect(of('http://localhost:1', 'x')).toBeUndefined()
  })

  it('is no header of its own, whatever is in it', async () => {
    const { url, seen } = await serve((_, res) => res.end('x'))
    for (const token of ['', 'a b', 'a\r\nX-Evil: 1', 'ä', 'x'.repeat(20_000)]) {
      const api = registryApi(url, { token: () => Promise.resolve(token) })
      expect(await codeOfAsync(() => api.fetchStatus())).toBe('usage')
    }
    expect(seen).toEqual([])
  })

  it('that cannot be had is a registry that cannot be reached, and nothing quotes it', async () => {
    const { url, seen } = await serve((_, res) => res.end('x'))
    const failing = registryApi(url, { token: () => Promise.reject(new Error('hunter2')) })
    const error = await failing.fetchStatus().catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'registry-unreachable' })
    expect(JSON.stringify({ ...(error as object), message: (error as Error).message })).not.toContain(
      'hunter2',
    )
    const silent = registryApi(url, { token: () => new Promise(() => undefined), timeoutMs: 50 })
    expect(await codeOfAsync(() => silent.fetchStatus())).toBe('registry-unreachable')
    expect(seen).toEqual([])
  })

  it('that has ended leaves a host what it knows', async () => {
    const { url } = await serve((_, res) => res.writeHead(401).end())
    expect(await codeOfAsync(() => registryApi(url, { token: 'old' }).fetchStatus())).toBe(
      'registry-unreachable',
    )
  })

  it('is for a registry that is named', async () => {
    const world = openWorld()
    const options: HostOptions = {
      registry: world.api(),
      trust: world.trust,
      memory: memoryInProcess(),
      token: 'x',
    }
    expect(await codeOfAsync(() => openHost(options))).toBe('usage')
  })
})

describe('a private registry', () => {
  it('is read by a host with a token, and by nobody without', async () => {
    const at = await startRegistry({ config: { privacy: 'all' } })
    try {
      const server = 'com.example/weather'
      const publisher = await addPublisher(at, 'com.example')
      const { manifest } = await publishManifest(publisher, sampleManifest(at.identity, { server }))
      await approveManifest(at.admin, manifest, 'read by a person')
      const reader = callerOf(at.url, at.admin.client, 'registry:read')
      const token = (): Promise<string> => reader.token()
      expect(await codeOfAsync(() => registryApi(at.url).fetchRoot('latest'))).toBe('registry-unreachable')
      const { trust } = await pinTrust(registryApi(at.url, { token }), {
        fingerprint: at.fingerprint,
      })
      const hostOf = (more: Partial<HostOptions>) =>
        openHost({ registry: at.url, trust, memory: memoryInProcess(), ...more })
      expect((await (await hostOf({ token })).verify(server)).digest).toBe(manifest)
      expect(await codeOfAsync(async () => (await hostOf({})).verify(server))).toBe('registry-unreachable')
      const writer = callerOf(at.url, at.admin.client, 'registry:publish')
      const unfit = await hostOf({ token: () => writer.token() })
      expect(await codeOfAsync(() => unfit.verify(server))).toBe('registry-error')
      for (const path of ['/v0.1/servers', '/v0.1/servers/com.example%2Fweather/versions/latest']) {
        const get = (headers: Record<string, string>) => fetch(at.url + path, { headers })
        expect((await get({})).status).toBe(401)
        const answer = await get({ authorization: `Bearer ${await token()}` })
        expect(answer.status).toBe(200)
        expect(answer.headers.get('cache-control')).toMatch(/^private/)
        expect(answer.headers.get('access-control-allow-origin')).toBeNull()
      }
    } finally {
      await at.close()
    }
  })
})
