import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { addRoutes } from '../../src/http/app.js'
import { pathTemplate } from '../../src/http/openapi/parameters.js'
import { PROBLEMS } from '../../src/http/problems/table.js'
import type { Rooms } from '../../src/http/rooms.js'
import type { AddRoute } from '../../src/http/route.js'
import { fetchDescription, type Described } from '../support/openapi.js'
import { requestToken, send, startRegistry, type TestRegistry } from '../support/registry.js'

// The description against the registry that gives it: nothing of one is missing in the other.

let at: TestRegistry
let api: Described
beforeAll(async () => {
  at = await startRegistry()
  api = await fetchDescription(at.url)
})
afterAll(() => at.close())

/** Every line of the API's index, as `get /v1/servers/{ns}`. */
function routeTable(): string[] {
  const table: string[] = []
  const add: AddRoute = (method, path) => void table.push(`${method} ${pathTemplate(path)}`)
  addRoutes(add, { context: {}, auth: {}, publicUrl: 'https://registry.example' } as unknown as Rooms)
  return table
}

function described(): string[] {
  return Object.entries(api.document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method} ${path}`),
  )
}

/** Something of the right shape that nobody has. */
const SAMPLES: Readonly<Record<string, string>> = {
  digest: `sha256:${'0'.repeat(64)}`,
  root: '0'.repeat(64),
  tile: '0/000.p/1',
  server: 'com.example%2Fnothing',
  version: '1.0.0',
  ns: 'com.example',
  name: 'nothing',
  n: '1',
  number: '1',
}

describe('the description of the API', () => {
  it('tells every line of the index, and nothing else under /v1 but the documents beside it', () => {
    const table = routeTable()
    const told = described()
    expect(table.filter((line) => !told.includes(line))).toEqual([])
    expect(told.filter((line) => line.includes(' /v1/') && !table.includes(line)).toSorted()).toEqual([
      'get /v1/bundles/{digest}',
      'get /v1/consistency',
      'get /v1/events',
      'get /v1/policies/{digest}',
      'get /v1/revocations/{root}',
      'get /v1/root/latest',
      'get /v1/root/{n}',
      'get /v1/servers/{ns}/{name}/versions/{version}/bundle',
      'get /v1/status',
    ])
  })

  it('tells of nothing that is not there, and tells what it answers', async () => {
    const table = routeTable()
    const beside = described().filter((line) => !table.includes(line) && line !== 'get /v1/events')
    expect(beside.length).toBeGreaterThan(25)
    const wrong: (readonly string[])[] = []
    for (const line of beside) {
      const [method = '', template = ''] = line.split(' ')
      const path = template.replaceAll(/\{([A-Za-z]+)\}/g, (_, name: string) => SAMPLES[name] ?? name)
      const form = { 'content-type': 'application/x-www-form-urlencoded' }
      const options = method === 'post' ? { body: 'x=y', headers: form } : {}
      const query = template === '/v1/consistency' ? '?from=1&to=1' : ''
      const reply = await send(at.url, method.toUpperCase(), path + query, options)
      const nothing = !template.includes('{') && reply.body.code === 'not-found' ? [`${line}: nothing`] : []
      wrong.push(api.offences(method, path, reply), nothing)
    }
    expect(wrong.flat()).toEqual([])
  })

  it('says everything that a client needs of each operation', () => {
    const ids = new Set<string>()
    for (const [path, operations] of Object.entries(api.document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const { operationId, summary, tags, responses, security } = operation
        expect(ids.has(operationId), operationId).toBe(false)
        ids.add(operationId)
        expect([path, summary.length > 5, tags.length, security.length > 0]).toEqual([path, true, 1, true])
        expect(
          Object.keys(responses).some((status) => /^2/.test(status)),
          `${method} ${path}`,
        ).toBe(true)
      }
    }
  })

  it('has the same strong ETag until it changes, and any origin may read it', async () => {
    const first = await send(at.url, 'GET', '/openapi.json')
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[A-Za-z0-9_-]{43}"$/)
    expect(first.headers.get('access-control-allow-origin')).toBe('*')
    const again = await send(at.url, 'GET', '/openapi.json', { headers: { 'if-none-match': etag } })
    expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', etag])
    const other = await send(at.url, 'GET', '/openapi.json', { headers: { 'if-none-match': '"other"' } })
    expect(other.status).toBe(200)
  })
})

describe('a private registry', () => {
  it.each([
    ['reads', ['/log/', '/v0.1/']],
    ['all', []],
  ] as const)('%s: says which reads want a token, and those do', async (privacy, open) => {
    const closed = await startRegistry({ config: { privacy } })
    onTestFinished(() => closed.close())
    const { document } = await fetchDescription(closed.url)
    const reads = Object.entries(document.paths).flatMap(([path, { get }]) =>
      get !== undefined && /^\/(?:v1|v0\.1|log)\//.test(path) ? [[path, get] as const] : [],
    )
    expect(reads.length).toBeGreaterThan(30)
    for (const [path, { security }] of reads) {
      const isOpen = open.some((prefix) => path.startsWith(prefix))
      expect([path, security.every((one) => Object.keys(one).length > 0)]).toEqual([path, !isOpen])
      const asked = path.replaceAll(/\{([A-Za-z]+)\}/g, (_, name: string) => SAMPLES[name] ?? '1')
      const { status } = await send(closed.url, 'GET', asked)
      expect([path, status === 401]).toEqual([path, !isOpen])
    }
  })
})

describe('the authorization server', () => {
  it('is told by the document as well when an account comes too often', async () => {
    const accountTokens = { points: 1, seconds: 600 }
    const strict = await startRegistry({ overrides: { authLimits: { accountTokens } } })
    onTestFinished(() => strict.close())
    const ask = () => requestToken(strict.url, strict.admin.client, 'registry:audit')
    const replies = [await ask(), await ask(), await ask()]
    expect(replies.map(({ status }) => status)).toContain(429)
    expect(replies.flatMap((reply) => api.offences('POST', '/oauth/token', reply))).toEqual([])
  })
})

describe('the catalogue of problems', () => {
  it('is the one that decides statuses, whole, at /docs/problems', async () => {
    const { status, text, headers } = await send(at.url, 'GET', '/docs/problems')
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    for (const [code, { status: of, meaning, remedy }] of Object.entries(PROBLEMS)) {
      expect(text).toContain(`<tr id="${code}"><td>${of}</td>`)
      expect([code, meaning.length > 10, remedy.length > 5]).toEqual([code, true, true])
    }
  })

  it('has a page that loads nothing from elsewhere', async () => {
    const { headers, text } = await send(at.url, 'GET', '/docs')
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self';")
    expect(policy).not.toMatch(/https?:|\*|unsafe-eval/)
    expect(text).not.toMatch(/(src|href)="(?!\/)/)
  })

  it('serves of Swagger UI what the page names, and nothing else of its folder', async () => {
    for (const name of ['swagger-ui-bundle.js', 'swagger-ui.css', 'start.js', 'favicon-32x32.png']) {
      expect([name, (await send(at.url, 'GET', `/docs/${name}`)).status]).toEqual([name, 200])
    }
    for (const name of ['package.json', 'index.html', '..%2fpackage.json', 'swagger-ui.js', 'start.js/']) {
      expect([name, (await send(at.url, 'GET', `/docs/${name}`)).status]).toEqual([name, 404])
    }
  })
})

describe('the document as such', () => {
  it('is valid OpenAPI 3.1', async () => {
    type Specification = Parameters<Validator['validate']>[0]
    const copy: unknown = structuredClone(api.document)
    const { valid, errors } = await new Validator().validate(copy as Specification)
    expect(errors).toBeUndefined()
    expect(valid).toBe(true)
  })
})
