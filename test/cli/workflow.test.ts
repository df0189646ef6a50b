import { readdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { formatManifest } from 'countersign/core'
import { openAdminSeat, openSeat, trustRegistry, type Seat } from '../support/cli-inside.js'
import { githubClaims, GITHUB_TRUST, startCiIssuer, type CiIssuer } from '../support/issuer.js'
import { sampleManifest, startRegistry, type TestRegistry } from '../support/registry.js'

// A workflow publishes with nothing but the token that its own service makes for it.

const NAMESPACE = 'com.example'

let issuer: CiIssuer
let registry: TestRegistry
let admin: Seat
let service: Server
/** What GitHub's own service was asked for, and the claims it knows. */
const asked: { audience: string | null; bearer: string | undefined }[] = []
let claims: Record<string, unknown> = {}
let env: Record<string, string>
beforeAll(async () => {
  issuer = await startCiIssuer()
  registry = await startRegistry({
    overrides: { outside: { allow: (address) => address === '127.0.0.1' } },
  })
  admin = await openAdminSeat(registry)
  await admin.ok('keygen')
  await admin.ok('namespace', 'grant', NAMESPACE)
  await admin.ok('key', 'add', NAMESPACE)
  const trusted = Object.entries(GITHUB_TRUST).map(([name, value]) => `${name}=${value}`)
  const add = [
    'admin',
    'trusted-publishers',
    'add',
    NAMESPACE,
    '--provider',
    'github',
    '--issuer',
    issuer.url,
  ]
  await admin.ok(...add, '--claim', ...trusted)
  service = createServer((req, res) => {
    const url = new URL(req.url ?? '/', 'http://localhost')
    const audience = url.searchParams.get('audience')
    asked.push({ audience, bearer: req.headers.authorization })
    void issuer.token(githubClaims(audience ?? '', claims)).then((value) => {
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ value }))
    })
  })
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  const { port } = service.address() as AddressInfo
  env = {
    ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${port}/token?api-version=2`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'runner-secret',
  }
})
afterAll(async () => {
  service.close()
  admin.close()
  await registry.close()
  await issuer.stop()
})
beforeEach(() => {
  claims = {}
  asked.length = 0
})

let serial = 0
/** A version that is signed already, as a release job finds it. */
async function envelope(server = `${NAMESPACE}/weather`): Promise<string> {
  const version = `1.0.${serial++}`
  const manifest = join(admin.home, 'manifest.json')
  writeFileSync(manifest, formatManifest(sampleManifest(registry.identity, { server, version })))
  const out = join(admin.home, `${version}.jws`)
  await admin.ok('sign', manifest, '--out', out)
  return out
}

async function runner(extra: Record<string, string> = env): Promise<Seat> {
  const seat = openSeat({ registry: registry.url, env: extra })
  await trustRegistry(seat, registry)
  return seat
}

describe('publishing from a workflow', () => {
  it('needs no login, asks for a token made for this registry, and writes nothing to the disk', async () => {
    const seat = await runner()
    const before = readdirSync(seat.home)
    const said = await seat.ok('publish', await envelope())
    expect(said).toMatchObject({ status: 'pending' })
    expect(asked).toEqual([{ audience: registry.url, bearer: 'Bearer runner-secret' }])
    expect(readdirSync(seat.home)).toEqual(before)
    seat.close()
  })

  it('says what it may publish', async () => {
    const seat = await runner()
    expect(await seat.ok('whoami')).toMatchObject({ account: 'admin', servers: [`${NAMESPACE}/*`] })
    seat.close()
  })

  it.each([
    ['a fork', { repository_id: '75' }],
    ['another workflow', { workflow_ref: 'octo-org/weather/.github/workflows/test.yml@refs/tags/v1.0.0' }],
    ['another environment', { environment: 'test' }],
    ['a pull request', { event_name: 'pull_request_target' }],
  ])('is refused for %s, with a remedy', async (_what, change) => {
    const seat = await runner()
    claims = change
    const failure = await seat.fails('publish', await envelope())
    expect([failure.exit, failure.code]).toEqual([1, 'registry-refused'])
    expect(failure.remedy).toBeDefined()
    expect(JSON.stringify(failure)).not.toContain('eyJ')
    seat.close()
  })

  it('is for publishing only', async () => {
    const seat = await runner()
    await seat.ok('login')
    const failure = await seat.fails('admin', 'pending')
    expect([failure.exit, failure.detail['status']]).toEqual([1, 403])
    const elsewhere = await seat.fails('publish', await elsewherePublished())
    expect(elsewhere.code).toBe('registry-refused')
    seat.close()
  })

  async function elsewherePublished(): Promise<string> {
    await admin.ok('namespace', 'grant', 'com.other')
    const key = join(admin.home, 'other.pem')
    await admin.ok('keygen', '--out', key)
    await admin.ok('key', 'add', 'com.other', '--key', key)
    const manifest = join(admin.home, 'other.json')
    writeFileSync(
      manifest,
      formatManifest(sampleManifest(registry.identity, { server: 'com.other/weather' })),
    )
    const out = join(admin.home, 'other.jws')
    await admin.ok('sign', manifest, '--key', key, '--out', out)
    return out
  }
})

describe('login in a workflow', () => {
  it('keeps the short token for the steps that follow', async () => {
    const seat = await runner()
    expect(await seat.ok('login')).toMatchObject({ account: 'admin', servers: [`${NAMESPACE}/*`] })
    const later = openSeat({ env: { COUNTERSIGN_HOME: seat.home } })
    expect(await later.ok('publish', await envelope())).toMatchObject({ status: 'pending' })
    expect(asked).toHaveLength(1)
    expect(await later.ok('logout')).toMatchObject({ forgotten: true, revoked: null })
    later.close()
    seat.close()
  })

  it('takes the token that any other service puts into the environment, once', async () => {
    const token = await issuer.token(githubClaims(registry.url))
    const seat = await runner({ COUNTERSIGN_ID_TOKEN: token })
    const first = await seat.run('publish', await envelope(), '--json')
    expect(first.code).toBe(0)
    expect(first.stdout + first.stderr).not.toContain(token)
    const again = await seat.fails('publish', await envelope())
    expect([again.exit, again.code]).toEqual([1, 'registry-refused'])
    seat.close()
  })

  it('never asks a service over plain HTTP elsewhere, nor believes one that answers nonsense', async () => {
    const far = await runner({ ...env, ACTIONS_ID_TOKEN_REQUEST_URL: 'http://ci.example.com/token' })
    expect((await far.fails('publish', await envelope())).code).toBe('usage')
    far.close()
    const odd = await runner({ ...env, ACTIONS_ID_TOKEN_REQUEST_URL: `${registry.url}/healthz` })
    expect((await odd.fails('publish', await envelope())).code).toMatch(/^registry-/)
    odd.close()
  })
})

it('the trust is listed and can be ended', async () => {
  const list = await admin.run('admin', 'trusted-publishers', 'list')
  expect(list.stdout).toContain('repository_id')
  const { trustedPublishers } = (await admin.ok('admin', 'trusted-publishers', 'list')) as {
    trustedPublishers: { id: string }[]
  }
  await admin.ok('admin', 'trusted-publishers', 'remove', trustedPublishers[0]!.id)
  const seat = await runner()
  expect((await seat.fails('publish', await envelope())).code).toBe('registry-refused')
  seat.close()
  const wrong = [
    'admin',
    'trusted-publishers',
    'add',
    NAMESPACE,
    '--provider',
    'github',
    '--claim',
    'nonsense',
  ]
  expect((await admin.fails(...wrong)).exit).toBe(2)
})
