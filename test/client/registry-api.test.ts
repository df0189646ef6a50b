import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { pinTrust, registryApi } from 'countersign'
import { encodeBase64 } from 'countersign/core'
import { PATIENT_MS } from '../support/ledger.js'
import { openWorld, toolsOf, weather, type World } from '../support/world.js'
import { codeOf, codeOfAsync } from './support.js'

const open: Server[] = []
afterEach(() => {
  for (const server of open.splice(0)) server.close().closeAllConnections()
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  open.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The world over real HTTP, in the shapes of the wire. */
function routes(world: World): RequestListener {
  const api = world.api()
  const answer = async (path: string, query: URLSearchParams): Promise<Uint8Array | string | undefined> => {
    const [, , first = '', ...rest] = path.split('/')
    switch (first) {
      case 'status':
        return api.fetchStatus()
      case 'root':
        return api.fetchRoot(rest[0] === 'latest' ? 'latest' : Number(rest[0]))
      case 'bundles':
        return api.fetchBundle(rest[0] as `sha256:${string}`)
      case 'revocations':
        return api.fetchRevocations(rest[0] ?? '')
      case 'consistency': {
        const [from, to] = [Number(query.get('from')), Number(query.get('to'))]
        const proof = (await api.fetchConsistency(from, to)).map(encodeBase64)
        return JSON.stringify({ from, to, proof })
      }
      case 'servers': {
        const server = rest.slice(0, -1).join('/')
        return JSON.stringify({ server, versions: await api.fetchVersions(server) })
      }
      case 'lookup':
        return JSON.stringify({ servers: await api.lookup(Object.fromEntries(query)) })
      default:
        return undefined
    }
  }
  return (request, response) => {
    const url = new URL(request.url ?? '/', 'http://x')
    answer(url.pathname, url.searchParams).then(
      (body) => response.writeHead(body === undefined ? 404 : 200).end(body),
      () => response.writeHead(404).end(),
    )
  }
}

describe('registryApi', () => {
  it('a host over real HTTP verifies, sees a revocation, and finds by package', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const v1 = world.release(acme, weather())
    const url = await serve(routes(world))
    const pinned = await pinTrust(registryApi(url), { fingerprint: world.fingerprint, registry: url })
    expect(pinned.trust).toEqual({ ...world.trust, registry: url })
    const host = await world.host({ registry: url, trust: pinned.trust })
    const input = { slot: 'x', package: 'npm:@acme/weather@1.0.0', tools: toolsOf(v1) }
    expect((await host.review(input)).verdict).toBe('verified')
    expect((await host.verify(v1.server)).digest).toBe(v1.digest)
    world.release(acme, weather('2.0.0'))
    expect((await host.verify(v1.server)).version).toBe('2.0.0')
    world.revoke({ kind: 'manifest', digest: v1.digest })
    await host.refresh()
    expect((await host.review({ ...input, server: v1.server, version: '1.0.0' })).verdict).toBe('revoked')
    expect(await codeOfAsync(() => host.verify('com.acme/none'))).toBe('unknown-server')
  })

  it('https is required but for this machine; no credentials in the URL', () => {
    const of = (url: string, allowHttp = false) => codeOf(() => registryApi(url, { allowHttp }))
    expect(of('https://registry.example.com')).toBeUndefined()
    expect(of('http://localhost:8460')).toBeUndefined()
    expect(of('http://[::1]:8460')).toBeUndefined()
    expect(of('http://registry.example.com')).toBe('usage')
    expect(of('http://localhost.example.com')).toBe('usage')
    expect(of('http://127.0.0.1.example.com')).toBe('usage')
    expect(of('http://registry.example.com', true)).toBeUndefined()
    expect(of('https://user:secret@registry.example.com')).toBe('usage')
    expect(of('file:///etc/passwd')).toBe('usage')
    expect(of('nonsense')).toBe('usage')
  })

  it('no answer, a slow one, 5xx and 429 are unreachable; other refusals are errors', async () => {
    const of = async (listener: RequestListener, timeoutMs = PATIENT_MS) => {
      const api = registryApi(await serve(listener), { timeoutMs })
      return codeOfAsync(() => api.fetchStatus())
    }
    expect(await of((request) => request.socket.destroy())).toBe('registry-unreachable')
    expect(await of(() => undefined, 100)).toBe('registry-unreachable')
    // A body that dribbles is cut off as well.
    expect(await of((_, response) => void response.writeHead(200).write('{'), 100)).toBe(
      'registry-unreachable',
    )
    expect(await of((_, response) => response.writeHead(503).end())).toBe('registry-unreachable')
    expect(await of((_, response) => response.writeHead(429).end())).toBe('registry-unreachable')
    expect(await of((_, response) => response.writeHead(403).end())).toBe('registry-error')
    expect(await of((_, response) => response.writeHead(404).end())).toBe('registry-error')
    expect(await of((_, response) => response.writeHead(302, { location: '/elsewhere' }).end())).toBe(
      'registry-unreachable',
    )
  })

  it('sizes are capped while reading', async () => {
    const chunk = Buffer.alloc(256 * 1024, 0x20)
    let sent = 0
    const url = await serve((_, response) => {
      response.writeHead(200)
      const more = (): void => {
        while (!response.destroyed && sent < 64 * 1024 * 1024) {
          sent += chunk.length
          if (!response.write(chunk)) return void response.once('drain', more)
        }
        response.end()
      }
      more()
    })
    const api = registryApi(url, { timeoutMs: PATIENT_MS })
    expect(await codeOfAsync(() => api.fetchStatus())).toBe('registry-error')
    expect(sent).toBeLessThan(32 * 1024 * 1024)
  })

  it.each([
    ['not JSON', 'hello'],
    ['no list', '{"versions":{}}'],
    ['a duplicate member', '{"versions":[],"versions":[]}'],
    [
      'no digest',
      '{"versions":[{"version":"1.0.0","manifest":"x","role":"publisher","status":"approved","index":1}]}',
    ],
    [
      'no status',
      `{"versions":[{"version":"1.0.0","manifest":"sha256:${'0'.repeat(64)}","role":"publisher","status":"great","index":1}]}`,
    ],
  ])('a list that is %s is an error', async (_what, body) => {
    const url = await serve((_, response) => response.end(body))
    expect(await codeOfAsync(() => registryApi(url).fetchVersions('com.acme/weather'))).toBe('registry-error')
    expect(await codeOfAsync(() => registryApi(url).fetchVersions('../../admin'))).toBe('name-invalid')
  })

  it('a root that is no text is an error, and a review over it a verdict', async () => {
    const url = await serve((_, response) => response.end(Buffer.from([0xff, 0xfe])))
    expect(await codeOfAsync(() => registryApi(url).fetchRoot(2))).toBe('registry-error')
    const host = await openWorld().host({ registry: url })
    const review = await host.review({ server: 'com.acme/weather', slot: 'x', tools: [] })
    expect(review.verdict).toBe('registry-unreachable')
  })

  it('names the log a proof is of, and takes a query that is no route for the files behind it', async () => {
    const asked: string[] = []
    const url = await serve((request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(request.url?.startsWith('/v1/consistency') === true ? 200 : 404).end('{"proof":[]}')
    })
    expect(await registryApi(url).fetchConsistency(1, 2)).toEqual([])
    expect(await registryApi(url).fetchConsistency(1, 2, 'a/log&to=9')).toEqual([])
    expect(asked).toEqual(['/v1/consistency?from=1&to=2', '/v1/consistency?from=1&to=2&log=a%2Flog%26to%3D9'])
    asked.length = 0
    // Neither a registry nor a whole mirror: it does not say that nobody signed this.
    const found = () => registryApi(url).lookup({ url: 'https://example.com/mcp' })
    expect(await codeOfAsync(found)).toBe('registry-unreachable')
    expect(asked.map((path) => path.replace(/[?/][^/?]{60,}$|\?.*$/, ''))).toEqual([
      '/v1/lookup',
      '/v1/lookup',
      '/mirror.json',
    ])
  })

  it('shows a registry what it signed: as text, without credentials, never more than it reads', async () => {
    const seen: [string | undefined, string | undefined, string][] = []
    const url = await serve((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        seen.push([request.method, request.headers['content-type'], Buffer.concat(parts).toString()])
        response.writeHead(409).end()
      })
    })
    await registryApi(url).reportSeen?.('a note\n')
    await registryApi(url).reportSeen?.('x'.repeat(64 * 1024 + 1))
    expect(seen).toEqual([['POST', 'text/plain', 'a note\n']])
    const gone = registryApi('http://127.0.0.1:9')
    expect(await codeOfAsync(() => gone.reportSeen?.('a note') ?? Promise.resolve())).toBe(
      'registry-unreachable',
    )
  })

  it('one version that is none does not hide the others', async () => {
    const world = openWorld()
    const v1 = world.release(world.enrol('com.acme'), weather())
    const junk = { ...world.summary(v1), version: 'latest' }
    const host = await world.host({
      registry: world.api({ fetchVersions: async () => [junk, world.summary(v1)] }),
    })
    expect((await host.verify(v1.server)).version).toBe('1.0.0')
  })
})
