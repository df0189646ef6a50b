import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compareManifests } from 'countersign/change'
import { formatManifest, parseManifest, type JsonObject, type Manifest } from 'countersign/core'
import { inspectManifest } from 'countersign/gates'
import { matchesPattern } from '../../src/auth/trusted-publishing/match.js'
import {
  addAccount,
  addPublisher,
  publishManifest,
  sampleManifest,
  send,
  startRegistry,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'

// A32: texts that make a regular expression walk the same letters over and over. Each place is given as much as it may
// have: what walks them once is done at once, and what walks them squared is not done before the test is over.

/** Runs that end in something else than what the expression waits for, each with its end. */
const RUNS: readonly (readonly [name: string, run: string, end: string])[] = [
  ['dots', '.', 'x'],
  ['dots and blanks', ' .', 'x'],
  ['dashes', '-', ' .'],
  ['underscores', '_', ' '],
  ['blanks', ' ', 'x'],
  ['letters', 'a', '\u00a7'],
  ['labels', 'a.', '!'],
  ['schemes', 'http:', '/'],
  ['slashes', '/', ' '],
  ['users', 'http://a', '@'],
  ['addresses', 'a@a.', '@'],
  ['colons', ':', '@'],
  ['digits', '1', 'x'],
  ['zeros', '0', '1'],
  ['equals', 'A=', '!'],
  ['braces', '{', '}'],
  ['brackets', '[(', '>'],
  ['tags', '<a ', '>'],
  ['quotes', '"\\', '"'],
  ['lines', '\n', 'x'],
  ['words', 'ignore all previous ', '.'],
  ['marks', 'e\u0301', 'x'],
  ['pictures', '\u{1f468}\u200d', 'x'],
  ['variables', '${a', '}'],
  ['percent signs', '%2', 'x'],
]

const textOf = (run: string, end: string, length: number): string =>
  `a${run.repeat(Math.floor(length / run.length))}${end}`

/** As it is when it was published. */
const parsed = (manifest: Manifest): Manifest => parseManifest(formatManifest(manifest))

/** In every place of a tool that somebody reads, as long as a definition may be altogether. */
function hostileManifest(registry: string, text: string, version: string): Manifest {
  const property = { type: 'string', title: text, description: text, default: text, pattern: 'a' }
  const definition: JsonObject = {
    ...{ name: 'get_forecast', title: text, description: text, annotations: { title: text } },
    inputSchema: { type: 'object', title: text, properties: { city: property } },
  }
  return sampleManifest(registry, {
    ...{ server: 'com.example/hostile', version },
    tools: [{ definition, permissions: [] }],
  })
}

describe('A32 what is published', () => {
  it.each(RUNS)('%s: is read, judged and compared', (_, run, end) => {
    // Seven places share the 256 Ki characters of a definition, escapes included.
    const length = 16_000
    const before = parsed(hostileManifest('registry-a', textOf(run, end, length), '1.0.0'))
    const after = parsed(hostileManifest('registry-a', textOf(run, `${end}.`, length), '1.1.0'))
    expect(inspectManifest(after, { knownServers: [] }).length).toBeGreaterThanOrEqual(0)
    expect(compareManifests(before, after).changes.length).toBeGreaterThan(0)
  })

  it.each(RUNS)('%s: one title as long as may be is compared', (_, run, end) => {
    const titled = (text: string, version: string): Manifest => {
      const manifest = sampleManifest('registry-a', { server: 'com.example/hostile', version })
      const [tool] = manifest.tools
      return parsed({
        ...manifest,
        tools: [{ ...tool!, definition: { ...tool!.definition, title: text } }],
      })
    }
    // As it is written: 256 Ki characters are a whole definition.
    const length = (240_000 * run.length) / (JSON.stringify(run).length - 2)
    const before = titled(textOf(run, end, length), '1.0.0')
    expect(
      compareManifests(before, titled(textOf(run, `${end}.`, length), '1.1.0')).changes.length,
    ).toBeGreaterThan(0)
  })
})

describe('A32 what is asked', () => {
  let at: TestRegistry
  let author: Publisher
  beforeAll(async () => {
    at = await startRegistry()
    author = await addPublisher(at, 'com.example', await addAccount(at, 'author', ['publisher']))
  })
  afterAll(() => at.close())

  const HEADERS = [
    ...['authorization', 'dpop', 'traceparent', 'x-request-id', 'if-none-match', 'accept-encoding', 'accept'],
    ...['idempotency-key', 'cookie', 'x-forwarded-for', 'content-type', 'last-event-id', 'range'],
  ]
  const PATHS = [
    ...['/v1/servers/_', '/v1/servers/com.example/_', '/v1/servers/a/b/versions/_', '/v1/manifests/_'],
    ...[
      '/v1/bundles/_',
      '/v1/revocations/_',
      '/v1/root/_',
      '/log/tile/_',
      '/log/1/tile/_',
      '/v0.1/servers/_',
    ],
    ...[
      '/v1/servers?search=_',
      '/v1/servers?cursor=_',
      '/v1/lookup?package=_',
      '/v1/lookup?url=_',
      '/login/_',
    ],
    ...['/v0.1/servers?cursor=_', '/v0.1/servers?updated_since=_', '/v0.1/servers?search=_', '/oauth/_'],
    ...['/v1/consistency?from=_&to=1', '/v1/consistency?from=1&to=1&log=_', '/v1/events?types=_', '/_'],
  ]
  const answers = async (path: string, headers: Record<string, string> = {}): Promise<number> =>
    (await send(at.url, 'GET', path, { headers })).status

  /** Each third, another one for each run. */
  const some = (all: readonly string[], run: string): readonly string[] => {
    const offset = RUNS.findIndex(([, one]) => one === run)
    return all.filter((_, i) => (i + offset) % 3 === 0)
  }

  it.each(RUNS)('%s: paths and headers are answered', async (_, run, end) => {
    const text = textOf(run, end, 10_000)
    const inUrl = encodeURIComponent(text).slice(0, 10_000).replace(/%.?$/, '')
    // What a header cannot hold leaves no client.
    const inHeader = text.replaceAll(/[^\x20-\x7e]/g, '~')
    const statuses = [
      ...(await Promise.all(some(PATHS, run).map((path) => answers(path.replace('_', inUrl))))),
      ...(await Promise.all(some(HEADERS, run).map((name) => answers('/v1/servers', { [name]: inHeader })))),
    ]
    expect(statuses.filter((status) => status >= 500)).toEqual([])
  })

  it.each(RUNS)('%s: every text of a body is answered', async (_, run, end) => {
    const text = textOf(run, end, 20_000)
    const bodies: readonly (readonly [path: string, body: unknown])[] = [
      ['/v1/namespaces', { namespace: text, proof: 'dns', x: text }],
      ['/v1/namespaces/com.example/proofs', { challenge: text, event: text, signature: text, token: text }],
      ['/v1/namespaces/com.example/keys', { event: text }],
      ['/v1/namespaces/com.example/webhooks', { url: text, events: [text] }],
      ['/v1/review/x/comments', { text }],
      ['/v1/review/x/signatures', { signature: text }],
      ['/v1/review/x/rejection', { after: 0, reason: text }],
      ['/v1/admin/clients', { name: 'a', roles: ['auditor'], auth: 'public', redirectUris: [text] }],
      [
        '/v1/admin/trusted-publishers',
        { namespace: 'com.example', provider: 'github', claims: { sub: text } },
      ],
    ]
    const replies = await Promise.all(bodies.map(([path, body]) => at.admin.post(path, body)))
    const envelope = await author.caller.post('/v1/manifests', text)
    expect([...replies, envelope].filter(({ status }) => status < 400 || status >= 500)).toEqual([])
  })

  it('twin: what people write is published, compared and found', async () => {
    const named = (version: string, title: string): Manifest =>
      sampleManifest(at.identity, { server: 'com.example/weather', version, title })
    await publishManifest(author, named('1.0.0', 'Weather - today…'))
    await publishManifest(author, named('1.1.0', 'Weather – today'))
    const { status, body } = await author.caller.get(
      '/v1/servers/com.example/weather/diff?from=1.0.0&to=1.1.0',
    )
    expect([status, body['class']]).toEqual([200, 'cosmetic'])
  })

  it('patterns of trusted publishers walk a value once', () => {
    expect(matchesPattern(`${'*a'.repeat(250)}b`, 'a'.repeat(1024))).toBe(false)
    expect(matchesPattern('example/*/release.yml@refs/tags/*', 'example/x/release.yml@refs/tags/v1')).toBe(
      true,
    )
  })
})
