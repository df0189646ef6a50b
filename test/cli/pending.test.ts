import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { formatManifest, formatVerifierKey } from 'countersign/core'
import { openKeys } from '../../src/log/keys.js'
import { openPlace, type Place, type Running } from '../registry/support.js'
import { logInAs, openSeat, trustRegistry, type Seat } from '../support/cli-inside.js'
import { realServer } from '../support/cli-command.js'
import { openDns, type TestDns } from '../support/dns.js'
import { githubClaims, GITHUB_TRUST, startCiIssuer, type CiIssuer } from '../support/issuer.js'
import { nextRoot } from '../support/ledger.js'
import { addAccount, callerOf, sampleManifest, type Caller } from '../support/registry.js'
import { policyOf, startFakeWitness, type FakeWitness } from '../support/witness.js'

// The witnesses are late: what is logged is logged, every command says so, and who waits is told when they are back.

const NS = 'com.example'
const LATE = /not published yet/
let place: Place
let at: Running
let witness: FakeWitness
let issuer: CiIssuer
let dns: TestDns
let author: Seat
let reviewer: Seat
let reviewing: Caller
let said = ''

beforeAll(async () => {
  place = openPlace()
  dns = await openDns()
  issuer = await startCiIssuer()
  Object.assign(place.config, { dnsServers: [dns.address] })
  const first = await place.start({ outside: { allow: () => true } })
  const keys = await openKeys(join(place.config.dataDir, 'keys'))
  witness = await startFakeWitness('w1', formatVerifierKey(keys.origin, 1, keys.log.key.publicKey))
  const { ledger } = first.registry
  const policy = policyOf([witness], `quorum ${witness.name}`)
  await ledger.publishRoot(nextRoot({ ledger, keys }, { policy }))
  const { client } = await addAccount(first, 'reviewer', ['reviewer'])
  await first.stop()
  at = await place.start({ outside: { allow: () => true }, publishWaitMs: 1 })
  reviewing = callerOf(at.url, client, 'registry:review')
  author = await openSeatFor(at.admin.client)
  reviewer = await openSeatFor(client)
  await author.ok('keygen')
})
afterAll(async () => {
  author.close()
  reviewer.close()
  await place.remove()
  await issuer.stop()
  await dns.close()
  await witness.close()
})
beforeEach(() => {
  said = ''
  witness.isDown = true
})

async function openSeatFor({ clientId, clientSecret }: Caller['client']): Promise<Seat> {
  const seat = openSeat({ onSaid: (text) => (said += text) })
  await trustRegistry(seat, at)
  await logInAs(seat, at, clientId, clientSecret)
  return seat
}

const isPublished = (): boolean => {
  const { ledger } = at.registry
  return ledger.publishedSize() === ledger.committed().size
}
const published = () => expect.poll(isPublished).toBe(true)

function manifestFile(name: string, version = '1.0.0'): string {
  const file = join(author.home, `${name}-${version}.json`)
  const server = `${NS}/${name}`
  writeFileSync(file, formatManifest(sampleManifest(at.identity, { server, version })))
  return file
}

/** The digest, once it waits at the registry. */
async function waiting(server: string): Promise<string> {
  let found: string | undefined
  await expect
    .poll(async () => {
      const { body } = await reviewing.get('/v1/review')
      const items = body.items as unknown as { server: string; manifest: string }[]
      return (found = items.find((one) => one.server === server)?.manifest)
    })
    .toBeDefined()
  return found ?? ''
}

/** A job that publishes with nothing but its own service's token. */
async function openWorkflow(): Promise<Seat> {
  const add = ['admin', 'trusted-publishers', 'add', NS, '--provider', 'github', '--issuer', issuer.url]
  const trusted = Object.entries(GITHUB_TRUST).map(([claim, value]) => `${claim}=${value}`)
  await author.ok(...add, '--claim', ...trusted)
  const token = await issuer.token(githubClaims(at.url))
  const runner = openSeat({ registry: at.url, env: { COUNTERSIGN_ID_TOKEN: token } })
  await trustRegistry(runner, at)
  return runner
}

describe('while the witnesses are late', () => {
  it('key add enrols both roles, and says that they are not published', async () => {
    await author.ok('namespace', 'grant', NS)
    const { added } = (await author.ok('key', 'add', NS)) as { added: object[] }
    expect(added).toMatchObject([
      { role: 'own', published: false },
      { role: 'sign', published: false },
    ])
    const key = join(author.home, 'second.pem')
    await author.ok('keygen', '--out', key)
    const { code, stdout } = await author.run('key', 'add', NS, '--key', key)
    expect([code, LATE.test(stdout)]).toEqual([0, true])
    const { keys } = (await author.ok('key', 'list', NS)) as { keys: { kid: string; roles: string[] }[] }
    const kid = keys.find(({ roles }) => roles.length === 1)?.kid ?? ''
    const revoke = ['key', 'revoke', NS, kid, '--reason', 'superseded', '--yes']
    expect(await author.ok(...revoke)).toMatchObject({ kid, published: false })
  })

  it('namespace claim is proved, and says that it is not published', async () => {
    const claimed = (await author.ok('namespace', 'claim', 'com.claimed')) as {
      records: { at: string; value: string }[]
    }
    const [record] = claimed.records
    dns.zone.set(record!.at, { txt: [[record!.value]] })
    expect(await author.ok('namespace', 'verify', 'com.claimed')).toMatchObject({
      added: [
        { role: 'own', published: false },
        { role: 'sign', published: false },
      ],
    })
  })

  it('publish says so, and the same again is no other', async () => {
    const first = await author.ok('publish', manifestFile('plain'))
    expect(first).toMatchObject({ status: 'pending', published: false })
    expect(await author.ok('publish', manifestFile('plain'))).toMatchObject({ index: first['index'] })
    expect((await author.run('publish', manifestFile('plain'))).stdout).toMatch(LATE)
    witness.isDown = false
    await published()
    expect(await author.ok('publish', manifestFile('plain'))).not.toHaveProperty('published')
  })

  it('decisions say so, and are no failures', async () => {
    await author.ok('publish', manifestFile('decided'))
    const approved = await reviewer.ok('admin', 'approve', `${NS}/decided`)
    expect(approved).toMatchObject({ published: false })
    expect((await author.ok('publish', manifestFile('decided')))['status']).toBe('pending')
    const { stdout } = await reviewer.run(
      ...['admin', 'revoke', `${NS}/decided@1.0.0`, '--reason', 'odd', '--yes'],
    )
    expect(stdout).toMatch(/revoked.*\n[^]*not published yet/)
    await author.ok('publish', manifestFile('other'))
    const reject = ['admin', 'reject', `${NS}/other`, '--reason', 'odd']
    expect(await reviewer.ok(...reject)).toMatchObject({ published: false })
    witness.isDown = false
    await published()
  })

  it('publish and vouch with --wait wait for the decision and for the witnesses, and so does a workflow', async () => {
    const runner = await openWorkflow()
    const signed = join(author.home, 'workflow.jws')
    await author.ok('sign', manifestFile('workflow'), '--out', signed)
    const runs = [
      // It is shown only what was approved.
      ['workflow', runner.run('publish', signed, '--wait', '--json')],
      ['waited', author.run('publish', manifestFile('waited'), '--wait', '--json')],
      [
        'vouched',
        author.run('vouch', '--as', `${NS}/vouched`, '--wait', '--json', '--', ...realServer('memory')),
      ],
    ] as const
    for (const [name] of runs) {
      const digest = await waiting(`${NS}/${name}`)
      await expect.poll(() => said).toMatch(LATE)
      const { body } = await reviewing.get(`/v1/review/${digest}`)
      const vote = await reviewing.post(`/v1/review/${digest}/approval`, { after: body.last })
      expect([vote.status, vote.body['published']]).toEqual([202, false])
      const [version] = (await at.admin.get(`/v1/servers/${NS}/${name}`)).body.versions
      expect(version?.status).toBe('pending')
    }
    witness.isDown = false
    for (const [name, run] of runs) {
      const done = await run
      expect([done.code, done.json()]).toMatchObject([0, { status: 'approved', server: `${NS}/${name}` }])
      expect(done.json()).not.toHaveProperty('published')
    }
    runner.close()
  })
})
