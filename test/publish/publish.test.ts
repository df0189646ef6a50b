import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  formatManifest,
  manifestDigest,
  parseBundle,
  parseEvent,
  signEnvelope,
  signKeyRevokeEvent,
  toolDigest,
  type Manifest,
  type PublishEvent,
} from 'countersign/core'
import type { Candidate, Ledger } from '../../src/log/ledger.js'
import { openNames } from '../../src/publish/names.js'
import { publish } from '../../src/publish/publish.js'
import {
  addAccount,
  addKey,
  addPublisher,
  approveManifest,
  newKey,
  publishManifest,
  sampleManifest,
  send,
  signManifest,
  startRegistry,
  submitKeyEvent,
  type Caller,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'
import { principalOf } from '../review/support.js'

let at: TestRegistry
let publisher: Publisher
let reviewer: Caller
beforeAll(async () => {
  at = await startRegistry()
  reviewer = await addAccount(at, 'reviewer', ['reviewer'])
  publisher = await addPublisher(at, 'com.example')
})
afterAll(async () => {
  await at.close()
})

const sample = (change: Partial<Manifest> = {}) =>
  sampleManifest(at.identity, { server: 'com.example/weather', ...change })
const principal = (account: string) => principalOf(account, ['publisher'])
const post = (envelope: string, caller = publisher.caller) => caller.post('/v1/manifests', envelope)

/** The reply, after making sure that the log has not one entry more. */
async function changesNothing<T>(act: () => Promise<T>): Promise<T> {
  const { ledger } = at.registry
  const before = [ledger.publishedSize(), ledger.publishedNote()]
  const reply = await act()
  expect([ledger.publishedSize(), ledger.publishedNote()]).toEqual(before)
  return reply
}

describe('POST /v1/manifests', () => {
  it('logs a signed manifest, and says where it stands', async () => {
    const manifest = sample()
    const reply = await post(signManifest(manifest, publisher.key))
    expect(reply.status).toBe(201)
    expect(reply.body).toMatchObject({
      manifest: manifestDigest(formatManifest(manifest)),
      server: 'com.example/weather',
      version: '1.0.0',
      status: 'pending',
      findings: [],
    })
    const [entry] = await at.registry.store.readEntries(reply.body.index, reply.body.index + 1)
    expect(parseEvent(entry!)).toMatchObject({
      t: 'publish',
      manifest: reply.body.manifest,
      kid: publisher.key.kid,
    })
  })

  it('answers the same bytes again without a new entry', async () => {
    const envelope = signManifest(sample({ version: '1.0.1' }), publisher.key)
    const first = await post(envelope)
    const again = await changesNothing(() => post(envelope))
    expect([first.status, again.status]).toEqual([201, 200])
    expect(again.body).toEqual(first.body)
  })

  it('answers the same bytes again only once a published checkpoint covers them', async () => {
    const envelope = signManifest(sample({ version: '1.0.8' }), publisher.key)
    const { index } = (await post(envelope)).body
    const { ledger, store } = at.registry
    const submitted: Candidate[] = []
    const lagging: Ledger = {
      ...ledger,
      isPublished: (position) => position < index,
      submit: (candidate) => ledger.submit((submitted.push(candidate), candidate)),
    }
    const context = { ...at.registry.rooms.context, ledger: lagging, names: openNames(store) }
    const again = await changesNothing(() => publish(context, principal('admin'), envelope))
    expect([again.created, again.index, submitted.length]).toEqual([false, index, 1])
  })

  it('is refused in log order to an account that no longer acts for the namespace', async () => {
    await addAccount(at, 'agency', ['publisher'])
    const heir = 'admin'
    const grant = (account: string) => at.registry.store.grantNamespace('com.example', account, 'admin')
    await grant('agency')
    const { ledger, store } = at.registry
    const slow: Ledger = {
      ...ledger,
      submit: async (candidate) => grant(heir).then(() => ledger.submit(candidate)),
    }
    const context = { ...at.registry.rooms.context, ledger: slow, names: openNames(store) }
    const envelope = signManifest(sample({ version: '1.0.9' }), publisher.key)
    const refused = changesNothing(() => publish(context, principal('agency'), envelope).catch(String))
    expect(await refused).toMatch(/does not act for this namespace/)
  })

  it('takes the same bytes sent ten times at once as one', async () => {
    const envelope = signManifest(sample({ version: '1.0.2' }), publisher.key)
    const replies = await Promise.all(Array.from({ length: 10 }, () => post(envelope)))
    expect(new Set(replies.map((reply) => reply.body.index)).size).toBe(1)
    expect(replies.filter((reply) => reply.status === 201)).toHaveLength(1)
  })

  it('gives a version to one of two contents that race for it', async () => {
    const envelopes = ['a', 'b', 'c'].map((title) =>
      signManifest(sample({ version: '1.0.3', title }), publisher.key),
    )
    const replies = await Promise.all(envelopes.map((envelope) => post(envelope)))
    expect(replies.map((reply) => reply.status).sort()).toEqual([201, 409, 409])
    expect(replies.filter((reply) => reply.body.code === 'version-taken')).toHaveLength(2)
  })

  it('takes versions in any order', async () => {
    for (const version of ['3.0.0', '2.0.0', '2.0.0-rc.1']) {
      expect((await post(signManifest(sample({ version }), publisher.key))).status).toBe(201)
    }
  })

  it('takes a voucher under the namespace of who vouches, and finds it by what it speaks of', async () => {
    const manifest = sample({
      server: 'com.example/github',
      role: 'voucher',
      subject: { packages: [{ registryType: 'npm', identifier: '@scope/server', version: '1.2.3' }] },
    })
    const { manifest: digest } = await publishManifest(publisher, manifest)
    const find = (name: string) => send(at.url, 'GET', `/v1/lookup?package=${encodeURIComponent(name)}`)
    expect((await find('npm:@scope/server')).body.servers).toEqual([])
    await approveManifest(reviewer, digest)
    for (const name of ['npm:@scope/server', 'npm:@scope/server@1.2.3']) {
      const { servers } = (await find(name)).body
      expect(servers.map(({ server, role }) => [server, role])).toEqual([['com.example/github', 'voucher']])
      expect(servers[0]!.versions).toMatchObject([{ version: '1.0.0', manifest: digest, status: 'approved' }])
    }
    expect((await find('npm:@scope/server@9.9.9')).body.servers).toEqual([])
  })

  it('holds a look-alike of another owner, with the finding', async () => {
    const { manifest } = await publishManifest(publisher, sample({ server: 'com.example/filesystem' }))
    await approveManifest(reviewer, manifest)
    const other = await addPublisher(at, 'com.examp1e', await addAccount(at, 'elsewhere', ['publisher']))
    for (const version of ['1.0.0', '1.0.1']) {
      const lookalike = sample({ server: 'com.examp1e/filesystem', version })
      const reply = await post(signManifest(lookalike, other.key), other.caller)
      expect([reply.status, reply.body.status]).toEqual([201, 'pending'])
      expect(reply.body.findings.some((finding) => finding.held)).toBe(true)
    }
  })
})

describe('the same content under another key', () => {
  it('is taken only when the first key no longer counts for it, and is approved again', async () => {
    const first = await addPublisher(at, 'com.rotated')
    const second = newKey()
    await addKey(at, first, second, 'sign')
    const manifest = sample({ server: 'com.rotated/server' })
    const { manifest: digest, index } = await publishManifest(first, manifest)
    await approveManifest(reviewer, digest)
    const before = await send(at.url, 'GET', `/v1/bundles/${digest}`)
    const again = () => post(signManifest(manifest, second))
    const early = await changesNothing(again)
    expect([early.status, early.body.code]).toEqual([409, 'version-taken'])

    const { last } = (await at.admin.get('/v1/namespaces/com.rotated')).body
    const { namespace, key } = first
    const event = { namespace, kid: key.kid, reason: 'compromise', invalidFrom: index, after: last } as const
    const revoked = await submitKeyEvent(at.admin, signKeyRevokeEvent(event, at.identity, key))
    expect(revoked.status).toBe(201)
    const late = await again()
    expect([late.status, late.body.manifest, late.body['status']]).toEqual([201, digest, 'pending'])
    await approveManifest(reviewer, digest)
    const after = await send(at.url, 'GET', `/v1/bundles/${digest}`)
    expect([after.status, after.text === before.text]).toEqual([200, false])
    expect(parseBundle(Buffer.from(after.text)).envelope).toBe(signManifest(manifest, second))
  })
})

describe('refused, and nothing is logged', () => {
  const refusal = async (envelope: string, caller = publisher.caller) => {
    const { status, body } = await changesNothing(() => post(envelope, caller))
    return [status, body.code]
  }
  const sign = (change: Partial<Manifest>, key = publisher.key) =>
    signManifest(sample({ version: '9.0.0', ...change }), key)
  const raw = (payload: string) =>
    signEnvelope('countersign-manifest+json', Buffer.from(payload), publisher.key)

  it('a version that stands with another content', async () => {
    await publishManifest(publisher, sample({ version: '8.0.0' }))
    expect(await refusal(sign({ version: '8.0.0', title: 'Other' }))).toEqual([409, 'version-taken'])
  })

  it('a name that differs only in case', async () => {
    expect(await refusal(sign({ server: 'com.example/Weather' }))).toEqual([409, 'server-taken'])
  })

  it('a manifest for another registry', async () => {
    expect(await refusal(sign({ registry: 'registry-elsewhere' }))).toEqual([422, 'registry-mismatch'])
  })

  it('one that has expired', async () => {
    expect(await refusal(sign({ expires: '2020-01-01T00:00:00Z' }))).toEqual([422, 'expired'])
  })

  it('a key nobody enrolled', async () => {
    expect(await refusal(sign({}, newKey()))).toEqual([403, 'key-unknown'])
  })

  it('a server of a namespace the key is not for', async () => {
    expect(await refusal(sign({ server: 'org.other/weather' }))).toEqual([403, 'namespace-mismatch'])
  })

  it("somebody else's key, sent by an account that does not act for the namespace", async () => {
    const stranger = await addAccount(at, 'stranger', ['publisher'])
    expect(await refusal(sign({}), stranger)).toEqual([403, 'key-unknown'])
  })

  it('an owner without the role or the scope', async () => {
    expect(await refusal(sign({}), reviewer)).toEqual([403, 'scope-missing'])
  })

  it('a revoked key', async () => {
    const own = await addPublisher(at, 'com.revoked')
    const { last } = (await at.admin.get('/v1/namespaces/com.revoked')).body
    const event = { namespace: own.namespace, kid: own.key.kid, reason: 'superseded', after: last } as const
    expect((await submitKeyEvent(at.admin, signKeyRevokeEvent(event, at.identity, own.key))).status).toBe(201)
    expect(await refusal(sign({ server: 'com.revoked/a' }, own.key))).toEqual([403, 'key-unknown'])
  })

  it('what the gates refuse, with every finding', async () => {
    const inputSchema = {
      type: 'object',
      properties: { a: { $ref: 'https://elsewhere.example/schema.json' } },
    }
    const tools = [{ definition: { name: 'fetch', description: 'Fetches.', inputSchema }, permissions: [] }]
    const { status, body } = await changesNothing(() => post(sign({ tools })))
    expect([status, body.code]).toEqual([422, 'manifest-refused'])
    const { findings } = body['explanation'] as { findings: { refuse: boolean }[] }
    expect(findings.some((finding) => finding.refuse)).toBe(true)
  })

  it.each<[string, () => string, number, string]>([
    ['no envelope', () => 'hello', 400, 'envelope-malformed'],
    ['an empty body', () => '', 400, 'envelope-malformed'],
    [
      'a stripped signature',
      () => `${sign({}).split('.').slice(0, 2).join('.')}.`,
      400,
      'envelope-malformed',
    ],
    ['a changed signature', () => flip(sign({}), 2), 422, 'signature-invalid'],
    ['a changed payload', () => flip(sign({}), 1), 422, 'signature-invalid'],
    [
      'another header',
      () => sign({}).replace(/^[^.]+/, headerWith({ alg: 'EdDSA' })),
      400,
      'envelope-malformed',
    ],
    ['alg none', () => sign({}).replace(/^[^.]+/, headerWith({ alg: 'none' })), 400, 'envelope-malformed'],
    ['an unknown member', () => raw(formatted({ extra: 1 })), 422, 'manifest-invalid'],
    [
      'a duplicate member',
      () => raw(formatted({}).replace('{', '{"format":"x",')),
      400,
      'json-duplicate-member',
    ],
    ['no JSON', () => raw('{'), 400, 'json-malformed'],
    ['a range for a version', () => raw(formatted({ version: '^1.0.0' })), 422, 'manifest-invalid'],
    ['latest', () => raw(formatted({ version: 'latest' })), 422, 'manifest-invalid'],
    ['a name without a namespace', () => raw(formatted({ server: 'weather' })), 422, 'manifest-invalid'],
    [
      'a publisher with a subject',
      () => raw(formatted({ subject: { server: 'a.b/c' } })),
      422,
      'manifest-invalid',
    ],
    ['a voucher without one', () => raw(formatted({ role: 'voucher' })), 422, 'manifest-invalid'],
    ['a key event as a manifest', keyEventEnvelope, 400, 'envelope-malformed'],
  ])('%s', async (_, envelope, status, code) => {
    expect(await refusal(envelope())).toEqual([status, code])
  })

  it('a body that is not an envelope by its type', async () => {
    for (const type of ['application/json', 'text/plain', 'application/octet-stream']) {
      const reply = await changesNothing(async () =>
        send(at.url, 'POST', '/v1/manifests', {
          body: sign({}),
          token: await at.admin.token(),
          headers: { 'content-type': type },
        }),
      )
      expect([reply.status, reply.body.code]).toEqual([415, 'media-type-unsupported'])
    }
  })

  it('a body of more than 6 MiB', async () => {
    const reply = await changesNothing(() => post('a'.repeat(6 * 1024 * 1024 + 1)))
    expect([reply.status, reply.body.code]).toEqual([413, 'body-too-large'])
  })

  function formatted(change: Record<string, unknown>): string {
    return JSON.stringify({ ...sample({ version: '9.0.0' }), ...change })
  }
  function headerWith(change: Record<string, string>): string {
    const header = { alg: 'Ed25519', kid: publisher.key.kid, typ: 'countersign-manifest+json', ...change }
    return Buffer.from(JSON.stringify(header)).toString('base64url')
  }
  function keyEventEnvelope(): string {
    return signEnvelope('countersign-key-event+json', Buffer.from(formatted({})), publisher.key)
  }
  /** Another character in the middle of one part. */
  function flip(jws: string, part: number): string {
    const parts = jws.split('.')
    const at = Math.floor(parts[part]!.length / 2)
    const other = parts[part]![at] === 'A' ? 'B' : 'A'
    parts[part] = parts[part]!.slice(0, at) + other + parts[part]!.slice(at + 1)
    return parts.join('.')
  }
})

describe('what readers see', () => {
  it('hides what was never approved from strangers, not from its owner and the reviewers', async () => {
    const { manifest } = await publishManifest(publisher, sample({ server: 'com.example/hidden' }))
    const paths = [
      '/v1/servers/com.example/hidden',
      '/v1/servers/com.example/hidden/versions/1.0.0',
      `/v1/manifests/${manifest}`,
    ]
    const stranger = await addAccount(at, 'reader', ['publisher'])
    for (const path of paths) {
      expect((await send(at.url, 'GET', path)).status).toBe(404)
      expect((await stranger.get(path)).status).toBe(404)
      expect((await at.admin.get(path)).status).toBe(200)
    }
    expect((await at.admin.get(`/v1/bundles/${manifest}`)).status).toBe(404)
  })

  it('shows versions newest first, with the digests of their tools', async () => {
    for (const version of ['1.2.0', '1.10.0', '1.10.0-rc.1']) {
      const { manifest } = await publishManifest(publisher, sample({ server: 'com.example/many', version }))
      await approveManifest(reviewer, manifest)
    }
    const { body } = await send(at.url, 'GET', '/v1/servers/com.example/many')
    expect(body.versions.map(({ version }) => version)).toEqual(['1.10.0', '1.10.0-rc.1', '1.2.0'])
    const one = await send(at.url, 'GET', '/v1/servers/com.example/many/versions/1.2.0')
    const definition = sample().tools[0]!.definition
    expect(one.body['tools']).toEqual([{ name: 'get_forecast', digest: toolDigest(definition) }])
    const bundle = await send(at.url, 'GET', '/v1/servers/com.example/many/versions/1.2.0/bundle')
    expect(bundle.text).toBe((await send(at.url, 'GET', `/v1/bundles/${one.body.manifest}`)).text)
  })

  it('pages through the servers', async () => {
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await send(
        at.url,
        'GET',
        `/v1/servers?limit=1${cursor === undefined ? '' : `&cursor=${cursor}`}`,
      )
      expect(page.body.servers.length).toBeLessThanOrEqual(1)
      seen.push(...page.body.servers.map(({ server }) => server))
      cursor = page.body.cursor
    } while (cursor !== undefined)
    expect(seen).toEqual([...new Set(seen)].sort())
    expect(seen).toContain('com.example/many')
    expect(seen).not.toContain('com.example/hidden')
    const found = await send(at.url, 'GET', '/v1/servers?search=many')
    expect(found.body.servers.map(({ server }) => server)).toEqual(['com.example/many'])
  })

  it('finds a remote by its URL in any spelling', async () => {
    const remotes = [{ type: 'streamable-http', url: 'https://mcp.example.com/v1' }] as const
    const { manifest } = await publishManifest(publisher, sample({ server: 'com.example/remote', remotes }))
    await approveManifest(reviewer, manifest)
    for (const url of ['https://mcp.example.com/v1', 'HTTPS://MCP.example.com:443/v1']) {
      const { servers } = (await send(at.url, 'GET', `/v1/lookup?url=${encodeURIComponent(url)}`)).body
      expect(servers.map(({ server }) => server)).toEqual(['com.example/remote'])
    }
  })

  it.each([
    ['/v1/lookup'],
    ['/v1/lookup?package=npm:a&url=https://a.example/'],
    ['/v1/servers?limit=0'],
    ['/v1/servers?page=2'],
  ])('refuses the query of %s', async (path) => {
    const reply = await send(at.url, 'GET', path)
    expect([reply.status, reply.body.code]).toEqual([400, 'request-invalid'])
  })
})

describe('after a restart', () => {
  it('everything that was answered is there', async () => {
    const published = await publishManifest(publisher, sample({ server: 'com.example/kept' }))
    const index = await approveManifest(reviewer, published.manifest)
    const bundle = await send(at.url, 'GET', `/v1/bundles/${published.manifest}`)
    const { identity, fingerprint } = at
    at = await at.restart()
    expect([at.identity, at.fingerprint]).toEqual([identity, fingerprint])
    expect((await send(at.url, 'GET', `/v1/bundles/${published.manifest}`)).text).toBe(bundle.text)
    const again = await at.admin.post('/v1/manifests', published.envelope)
    expect([again.status, again.body.index, again.body['status']]).toEqual([200, published.index, 'approved'])
    const [entry] = await at.registry.store.readEntries(published.index, published.index + 1)
    expect((parseEvent(entry!) as PublishEvent).manifest).toBe(published.manifest)
    expect(index).toBeGreaterThan(published.index)
  })
})
