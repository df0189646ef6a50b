import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  formatEvent,
  formatNote,
  formatPolicyText,
  noteSigner,
  signKeyAddEvent,
  signKeyRevokeEvent,
  type JsonObject,
} from 'countersign/core'
import { ConfigError } from '../../src/config.js'
import { readHostPolicy } from '../../src/http/host-policy.js'
import { fetchDescription, type Described } from '../support/openapi.js'
import {
  addAccount,
  addPublisher,
  newKey,
  sampleManifest,
  send,
  signManifest,
  startRegistry,
  type Caller,
  type Publisher,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'

// What the API answers along the way of a manifest, held against the description, reply by reply.

let at: TestRegistry
let api: Described
let publisher: Publisher
let reviewer: Caller
let second: Caller
beforeAll(async () => {
  at = await startRegistry()
  api = await fetchDescription(at.url)
  publisher = await addPublisher(at, 'com.example', await addAccount(at, 'publisher', ['publisher']))
  reviewer = await addAccount(at, 'reviewer', ['reviewer'])
  second = await addAccount(at, 'second', ['reviewer'])
})
afterAll(() => at.close())

/** The reply, described and with this status. */
async function ask(
  status: number,
  caller: Caller,
  method: string,
  path: string,
  body?: unknown,
): Promise<Reply> {
  const reply = await caller.request(method, path, body)
  expect(api.offences(method, path, reply)).toEqual([])
  expect([method, path, reply.status, reply.text]).toEqual([method, path, status, reply.text])
  return reply
}

async function publish(version: string, change = {}): Promise<string> {
  const manifest = sampleManifest(at.identity, { server: 'com.example/weather', version, ...change })
  const envelope = signManifest(manifest, publisher.key)
  const { manifest: digest } = (await ask(201, publisher.caller, 'POST', '/v1/manifests', envelope)).body
  await ask(200, publisher.caller, 'POST', '/v1/manifests', envelope)
  return digest
}

async function approve(digest: string): Promise<void> {
  const { last } = (await ask(200, reviewer, 'GET', `/v1/review/${digest}`)).body
  await ask(201, reviewer, 'POST', `/v1/review/${digest}/approval`, { after: last })
}

async function decide(caller: Caller, path: string, status = 201): Promise<number> {
  return (await ask(status, caller, 'POST', path, { reason: 'it has to be' })).body.index
}

const nobody = (): Caller => {
  const request: Caller['request'] = (method, path, body) => send(at.url, method, path, { body })
  return { ...reviewer, request }
}

describe('every answer is as described', () => {
  it('from publishing over review to revocation and back', async () => {
    const digest = await publish('1.0.0')
    await ask(200, reviewer, 'GET', '/v1/review')
    await ask(201, reviewer, 'POST', `/v1/review/${digest}/comments`, { text: 'looks fine' })
    await approve(digest)
    const next = await publish('1.1.0', { description: 'Forecasts, and the weather of yesterday.' })
    await ask(200, reviewer, 'GET', `/v1/review/${next}`)
    await approve(next)
    await ask(200, nobody(), 'GET', '/v1/servers/com.example/weather/diff?from=1.0.0&to=1.1.0')
    await decide(publisher.caller, `/v1/manifests/${digest}/deprecation`)
    const after = await decide(reviewer, `/v1/manifests/${next}/revocation`)
    const again = { after, reason: 'a mistake' }
    const path = `/v1/manifests/${next}/reinstatement`
    await ask(202, reviewer, 'POST', path, again)
    await ask(200, reviewer, 'GET', `/v1/review/${next}`)
    await ask(201, second, 'POST', path, again)
    await decide(publisher.caller, `/v1/manifests/${await publish('1.2.0')}/withdrawal`)
    const refused = await publish('1.3.0')
    const { last } = (await ask(200, reviewer, 'GET', `/v1/review/${refused}`)).body
    await ask(201, reviewer, 'POST', `/v1/review/${refused}/rejection`, { after: last, reason: 'no' })
    await ask(409, reviewer, 'POST', `/v1/review/${refused}/rejection`, { after: last, reason: 'no' })
    await ask(409, publisher.caller, 'POST', '/v1/manifests', otherContent())
    await ask(422, publisher.caller, 'POST', '/v1/manifests', signManifest(hiddenText(), publisher.key))
  })

  const hiddenText = () =>
    sampleManifest(at.identity, { server: 'com.example/weather', version: 'x'.repeat(3) })
  const otherContent = () =>
    signManifest(
      sampleManifest(at.identity, { server: 'com.example/weather', description: 'Something else.' }),
      publisher.key,
    )

  it('to whoever reads', async () => {
    const list = await ask(200, nobody(), 'GET', '/v1/servers?limit=1')
    expect(list.body.servers).toEqual([{ server: 'com.example/weather' }])
    await ask(200, nobody(), 'GET', '/v1/servers?search=nothing')
    await ask(200, nobody(), 'GET', '/v1/servers/com.example/weather')
    await ask(200, publisher.caller, 'GET', '/v1/servers/com.example/weather/versions')
    const version = await ask(200, nobody(), 'GET', '/v1/servers/com.example/weather/versions/1.1.0')
    const bundle = '/v1/servers/com.example/weather/versions/1.1.0/bundle'
    await ask(200, nobody(), 'GET', `/v1/manifests/${version.body.manifest}`)
    for (const path of [bundle, `/v1/bundles/${version.body.manifest}`, '/v1/status', '/v1/root/latest']) {
      await ask(200, nobody(), 'GET', path)
    }
    await ask(200, nobody(), 'GET', '/v1/root/1')
    const catalogued = await ask(200, nobody(), 'GET', '/v0.1/servers')
    expect(catalogued.body.servers.length).toBeGreaterThan(0)
    await ask(200, nobody(), 'GET', '/v0.1/servers/com.example%2Fweather/versions')
    await ask(200, nobody(), 'GET', '/v0.1/servers/com.example/weather/versions/latest')
    await ask(404, nobody(), 'GET', '/v0.1/servers/com.example%2Fnothing/versions/latest')
    await ask(400, nobody(), 'GET', '/v0.1/servers?limit=0')
    await ask(200, nobody(), 'GET', '/v1/lookup?package=npm:weather')
    await ask(400, nobody(), 'GET', '/v1/lookup')
    await ask(200, nobody(), 'GET', '/v1/log/entries/0')
    await ask(404, nobody(), 'GET', '/v1/log/entries/9999')
    await ask(200, nobody(), 'GET', '/v1/consistency?from=1&to=2')
    await ask(200, nobody(), 'GET', '/v1/webhooks/key')
    await ask(200, nobody(), 'GET', '/.well-known/oauth-protected-resource')
    const { text } = await send(at.url, 'GET', '/log/checkpoint')
    const headers = { 'content-type': 'text/plain' }
    const seen = await fetch(`${at.url}/v1/log/seen`, { method: 'POST', headers, body: text })
    const reply = { status: seen.status, headers: seen.headers, text: await seen.text() }
    expect([seen.status, api.offences('POST', '/v1/log/seen', reply)]).toEqual([202, []])
  })

  it('about namespaces and keys', async () => {
    const { caller, namespace } = publisher
    await ask(200, caller, 'GET', `/v1/namespaces/${namespace}`)
    await ask(201, caller, 'POST', '/v1/namespaces', { namespace: 'org.example', proof: 'dns' })
    await ask(409, caller, 'POST', '/v1/namespaces', { namespace, proof: 'dns' })
    await ask(422, caller, 'POST', `/v1/namespaces/${namespace}/check`)
    const hook = { url: 'https://hooks.example/here', events: ['approve'] }
    const { id } = (await ask(201, caller, 'POST', `/v1/namespaces/${namespace}/webhooks`, hook)).body
    await ask(200, caller, 'GET', `/v1/namespaces/${namespace}/webhooks`)
    await ask(200, caller, 'DELETE', `/v1/namespaces/${namespace}/webhooks/${String(id)}`)
    await ask(404, caller, 'DELETE', `/v1/namespaces/${namespace}/webhooks/${String(id)}`)
    await ask(422, caller, 'POST', `/v1/namespaces/${namespace}/keys`, { event: '{"t":"key.add"}' })
    const owned = newKey()
    const { last } = (await ask(200, caller, 'GET', `/v1/namespaces/${namespace}`)).body
    const addition = { namespace, role: 'own', after: last } as const
    const add = formatEvent(signKeyAddEvent(addition, at.identity, owned, publisher.key))
    const { index } = (await ask(201, caller, 'POST', `/v1/namespaces/${namespace}/keys`, { event: add }))
      .body
    const ending = { namespace, kid: owned.kid, reason: 'superseded', after: index } as const
    const end = formatEvent(signKeyRevokeEvent(ending, at.identity, publisher.key))
    const revocation = `/v1/namespaces/${namespace}/keys/${owned.kid}/revocation`
    await ask(201, caller, 'POST', revocation, { event: end })
    await ask(200, caller, 'GET', `/v1/namespaces/${namespace}`)
    const stranger = signManifest(sampleManifest(at.identity, { server: 'com.example/weather' }), newKey())
    await ask(403, caller, 'POST', '/v1/manifests', stranger)
  })

  it('to an admin', async () => {
    const { admin } = at
    await ask(200, admin, 'GET', '/v1/account')
    await ask(200, admin, 'GET', '/v1/admin/accounts?limit=2')
    await ask(201, admin, 'POST', '/v1/admin/accounts', { name: 'robot', roles: ['auditor'] })
    await ask(409, admin, 'POST', '/v1/admin/accounts', { name: 'robot', roles: ['auditor'] })
    await ask(200, admin, 'GET', '/v1/admin/accounts/robot')
    await ask(404, admin, 'GET', '/v1/admin/accounts/nobody')
    await ask(200, admin, 'PUT', '/v1/admin/accounts/robot/roles', { roles: ['reviewer'] })
    for (const word of ['disable', 'enable', 'sign-out']) {
      await ask(200, admin, 'POST', `/v1/admin/accounts/robot/${word}`)
    }
    await ask(201, admin, 'POST', '/v1/admin/invitations', { roles: ['auditor'] })
    await ask(201, admin, 'POST', '/v1/admin/accounts/reviewer/recovery')
    const robot = { name: 'robot', account: 'robot', roles: ['reviewer'] }
    const { client_id: id } = (await ask(201, admin, 'POST', '/v1/admin/clients', robot)).body
    await ask(200, admin, 'GET', '/v1/admin/clients')
    await ask(200, admin, 'POST', `/v1/admin/clients/${id}/disable`)
    await ask(200, admin, 'POST', `/v1/admin/clients/${id}/enable`)
    const workflow = {
      ...{ namespace: 'com.example', provider: 'github', account: 'publisher' },
      claims: {
        repository: 'example/weather',
        repository_id: '1',
        repository_owner_id: '2',
        job_workflow_ref: 'example/weather/.github/workflows/release.yml@refs/heads/main',
      },
    }
    const added = await admin.post('/v1/admin/trusted-publishers', workflow)
    expect(api.offences('POST', '/v1/admin/trusted-publishers', added)).toEqual([])
    await ask(200, admin, 'GET', '/v1/admin/trusted-publishers')
    await ask(404, admin, 'DELETE', '/v1/admin/trusted-publishers/none')
    await ask(201, admin, 'POST', '/v1/admin/webhooks', { url: 'https://hooks.example/all' })
    await ask(200, admin, 'GET', '/v1/admin/webhooks')
    const view = await ask(200, admin, 'GET', '/v1/policy')
    const { version: after, policy } = view.body as unknown as { version: number; policy: object }
    await ask(200, admin, 'PUT', '/v1/policy', { after, policy })
    await ask(409, admin, 'PUT', '/v1/policy', { after, policy })
    await ask(200, admin, 'GET', '/v1/audit?limit=100')
  })

  it('to whoever is refused', async () => {
    await ask(401, nobody(), 'GET', '/v1/review')
    await ask(403, publisher.caller, 'GET', '/v1/review')
    await ask(400, reviewer, 'GET', '/v1/review?limit=0')
    await ask(400, reviewer, 'GET', '/v1/review/sha256:nothing')
    await ask(415, publisher.caller, 'POST', '/v1/manifests', { an: 'object' })
    await ask(400, publisher.caller, 'POST', '/v1/manifests', 'no envelope')
  })
})

describe('which versions hold a tool', () => {
  it('is told of public ones alone, in pages', async () => {
    const shown = await ask(200, nobody(), 'GET', '/v1/servers/com.example/weather/versions/1.0.0')
    const [tool] = shown.body['tools'] as { digest: string }[]
    const path = `/v1/tools/${tool?.digest ?? ''}`
    const found: string[] = []
    let next = '?limit=2'
    while (next !== '') {
      const { body } = await ask(200, nobody(), 'GET', path + next)
      found.push(...body.versions.map(({ version }) => version))
      next = body.cursor === undefined ? '' : `?limit=2&cursor=${body.cursor}`
    }
    // 1.2.0 was withdrawn and 1.3.0 rejected: they hold it as well, and nobody is told.
    expect(found).toEqual(['1.0.0', '1.1.0'])
    expect((await ask(200, reviewer, 'GET', path)).body.versions).toHaveLength(2)
  })

  it('is nothing of a tool that nobody has, and a refusal of what is no digest', async () => {
    const none = await ask(200, nobody(), 'GET', `/v1/tools/sha256:${'0'.repeat(64)}`)
    expect(none.body.versions).toEqual([])
    expect((await ask(400, nobody(), 'GET', '/v1/tools/get_forecast')).body.code).toBe('digest-invalid')
    expect((await ask(400, nobody(), 'GET', `/v1/tools/sha256:${'0'.repeat(64)}?cursor=eA`)).body.code).toBe(
      'request-invalid',
    )
  })
})

describe('the policy for hosts', () => {
  const policy = {
    format: 'countersign/host-policy/v1',
    managed: true,
    registries: { 'com.example': 'example' },
  }

  const noteOf = (identity: string, body: JsonObject): string => {
    const text = formatPolicyText(identity, 1, body)
    return formatNote(text, [noteSigner(`${identity}/authority`, newKey()).sign(text)])
  }

  async function writePolicy(text: string): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'countersign-host-policy-'))
    onTestFinished(() => rm(dir, { recursive: true }))
    const file = join(dir, 'policy.json')
    await writeFile(file, text)
    return file
  }

  it('is served where it is configured', async () => {
    const hostPolicyFile = await writePolicy(JSON.stringify(policy))
    const managed = await startRegistry({ config: { hostPolicyFile } })
    onTestFinished(() => managed.close())
    const reply = await send(managed.url, 'GET', '/v1/host-policy')
    expect(reply.body).toEqual(policy)
    expect(api.offences('GET', '/v1/host-policy', reply)).toEqual([])
  })

  it('is taken with a signature, for this registry', async () => {
    const note = noteOf('registry-a', policy)
    const taken = await readHostPolicy(await writePolicy(note), 'registry-a')
    expect([Buffer.from(taken?.bytes ?? []).toString(), taken?.type]).toEqual([
      note,
      'text/plain; charset=utf-8',
    ])
  })

  it('is 404 where it is not', async () => {
    expect((await ask(404, nobody(), 'GET', '/v1/host-policy')).body.code).toBe('not-found')
  })

  it.each([
    ['no JSON', '{'],
    ['another format', JSON.stringify({ ...policy, format: 'countersign/host-policy/v2' })],
    ['a member that hosts refuse', JSON.stringify({ ...policy, allow: ['*'] })],
    ['a member twice', '{"format":"countersign/host-policy/v1","managed":true,"managed":false}'],
    ['a registry that is none', JSON.stringify({ ...policy, registries: { 'com.example': 'Not One' } })],
    ['signed for the hosts of another registry', noteOf('registry-other', policy)],
    ['signed, with a member that hosts refuse', noteOf('registry-a', { ...policy, allow: ['*'] })],
    ['signed, and malformed', noteOf('registry-a', policy).replace('\n1\n', '\n01\n')],
  ])('is refused at the start: %s', async (_, text) => {
    await expect(readHostPolicy(await writePolicy(text), 'registry-a')).rejects.toBeInstanceOf(ConfigError)
  })

  it('is refused at the start when it cannot be read', async () => {
    await expect(
      readHostPolicy(join(tmpdir(), 'countersign-no-such-file'), 'registry-a'),
    ).rejects.toBeInstanceOf(ConfigError)
  })
})
