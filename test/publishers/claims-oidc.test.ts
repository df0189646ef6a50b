import { generateKeyPair, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { signNamespaceEvent, type NamespaceEvent } from 'countersign/core'
import type { TestDns } from '../support/dns.js'
import { addAccount, newKey, type Caller, type TestRegistry } from '../support/registry.js'
import {
  answer,
  openDns,
  openIssuer,
  openTown,
  startClaim,
  type Claim,
  type Started,
  type TestIssuer,
} from './support.js'

let dns: TestDns
let issuer: TestIssuer
let at: TestRegistry
let holder: Caller
beforeAll(async () => {
  dns = await openDns()
  issuer = await openIssuer()
  const common = { issuer: issuer.url }
  const issuers = [
    { ...common, prefix: 'io.github', owner: 'repository_owner', ownerId: 'repository_owner_id', levels: 1 },
    { ...common, prefix: 'io.gitlab', owner: 'namespace_path', ownerId: 'namespace_id', levels: 20 },
  ]
  at = await openTown(dns, { issuers })
  holder = await addAccount(at, 'holder', ['publisher'])
})
afterAll(async () => {
  await at.close()
  await issuer.close()
  await dns.close()
})

let serial = 0
let owner: string
let claim: Claim
let started: Started
beforeEach(async () => {
  owner = `oktokat${++serial}`
  await begin(`io.github.${owner}`)
})

async function begin(namespace: string, key = newKey()): Promise<void> {
  claim = { namespace, proof: 'oidc', account: 'holder', key }
  started = await startClaim(holder, claim)
}

const audience = (): string => `countersign:${at.identity}:${started.challenge}`
const job = (change: Readonly<Record<string, unknown>> = {}): JWTPayload => ({
  ...{ aud: audience(), repository_owner: owner, repository_owner_id: '583231' },
  ...change,
})
const event = (): NamespaceEvent =>
  signNamespaceEvent({ namespace: claim.namespace, proof: 'oidc', account: 'holder' }, at.identity, claim.key)

async function outcome(token: string | undefined): Promise<unknown> {
  const { status, body } = await answer(holder, claim, started, token === undefined ? {} : { token })
  return status === 201 ? body['subject'] : body.code
}

describe('a claim by an identity provider', () => {
  it('is proved by a token for exactly this challenge; its subject is the number', async () => {
    expect(started.records).toEqual([{ type: 'audience', at: issuer.url, value: audience() }])
    expect(await outcome(await issuer.sign(job()))).toBe(`${issuer.url}#583231`)
    const { body } = await holder.get(`/v1/namespaces/${claim.namespace}`)
    expect(body).toMatchObject({
      account: 'holder',
      proof: { kind: 'oidc', subject: `${issuer.url}#583231` },
    })
  })

  it('whatever the case of the name', async () => {
    expect(await outcome(await issuer.sign(job({ repository_owner: owner.toUpperCase() })))).toContain(
      '#583231',
    )
  })

  it('that a push ran for, with its number as a number', async () => {
    const pushed = job({ event_name: 'push', repository_owner_id: 583231 })
    expect(await outcome(await issuer.sign(pushed))).toBe(`${issuer.url}#583231`)
  })

  it('with several levels, where the provider has them', async () => {
    await begin(`io.gitlab.group${serial}.team`)
    const token = await issuer.sign({
      aud: audience(),
      namespace_path: `Group${serial}/team`,
      namespace_id: 72,
    })
    expect(await outcome(token)).toBe(`${issuer.url}#72`)
  })

  it.each<[string, () => Readonly<Record<string, unknown>>]>([
    ['for another audience', () => ({ aud: 'https://registry.example.com' })],
    ['for another registry', () => ({ aud: audience().replace(at.identity, 'registry-other') })],
    ['for another challenge', () => ({ aud: `countersign:${at.identity}:${'A'.repeat(43)}` })],
    ['for two audiences', () => ({ aud: [audience(), 'https://elsewhere.example.com'] })],
    ['for no audience', () => ({ aud: [] })],
    ['of another owner', () => ({ repository_owner: 'thief' })],
    ['of an owner whose name only begins so', () => ({ repository_owner: `${owner}-x` })],
    ['of an owner with more levels', () => ({ repository_owner: `${owner}/x` })],
    ['without an owner', () => ({ repository_owner: undefined })],
    ['with an owner that is no text', () => ({ repository_owner: [owner] })],
    ['without a number', () => ({ repository_owner_id: undefined })],
    ['with a number that is none', () => ({ repository_owner_id: '58x' })],
    ['with a number in another spelling', () => ({ repository_owner_id: '0583231' })],
    ['with a fraction', () => ({ repository_owner_id: 58.5 })],
    ['with a number that others round to as well', () => ({ repository_owner_id: 9007199254740993 })],
    ['with a list of a number', () => ({ repository_owner_id: [583231] })],
    ['with a number behind a sign', () => ({ repository_owner_id: -583231 })],
    // Lower case turns the Kelvin sign into a k: io.github.oktokat is not its owner's.
    ['of an owner whose letters only fold to it', () => ({ repository_owner: owner.replace('k', '\u212a') })],
    ['of an owner behind a slash', () => ({ repository_owner: `/${owner}` })],
    ['that a stranger’s proposal ran for', () => ({ event_name: 'pull_request' })],
    ['that a stranger’s proposal ran with its rights', () => ({ event_name: 'pull_request_target' })],
    ['of another issuer', () => ({ iss: 'https://token.actions.githubusercontent.com' })],
    ['that expired', () => ({ exp: Math.floor(Date.now() / 1000) - 60 })],
    ['that is an hour old', () => ({ iat: Math.floor(Date.now() / 1000) - 3600 })],
    ['of tomorrow', () => ({ iat: Math.floor(Date.now() / 1000) + 86_400 })],
    ['without an end', () => ({ exp: undefined })],
  ])('is proof-failed for a token %s', async (_, change) => {
    expect(await outcome(await issuer.sign(job(change())))).toBe('proof-failed')
  })

  it('is proof-failed for a token that the issuer did not sign', async () => {
    const { privateKey } = await generateKeyPair('ES256')
    expect(await outcome(await issuer.sign(job(), { key: privateKey }))).toBe('proof-failed')
    const hs = new SignJWT(job({ iss: issuer.url })).setProtectedHeader({ alg: 'HS256' }).setIssuedAt()
    expect(await outcome(await hs.setExpirationTime('5m').sign(new Uint8Array(32)))).toBe('proof-failed')
    expect(await outcome(undefined)).toBe('proof-failed')
  })

  it('is no request with a token that has no signature', async () => {
    const unsigned = new UnsecuredJWT(job({ iss: issuer.url })).setIssuedAt().setExpirationTime('5m').encode()
    expect(await outcome(unsigned)).toBe('request-invalid')
  })

  it('is proof-failed where a dot in a name passes for a level', async () => {
    await begin(`io.gitlab.dotted${serial}.team`)
    const token = await issuer.sign({
      aud: audience(),
      namespace_path: `dotted${serial}.team`,
      namespace_id: 9,
    })
    expect(await outcome(token)).toBe('proof-failed')
  })

  it('takes no token for a challenge that was taken with it', async () => {
    const token = await issuer.sign(job())
    expect(await outcome(token)).toContain('#583231')
    const again = await answer(holder, { ...claim, key: newKey() }, started, { token })
    expect(again.body.code).toBe('namespace-taken')
  })
})

describe('a name that was given to somebody else', () => {
  it('does not prove the namespace again: the number is another', async () => {
    const first = event()
    await answer(holder, claim, started, { token: await issuer.sign(job()), event: first })
    await begin(claim.namespace, claim.key)
    const resurrected = await issuer.sign(job({ repository_owner_id: '999999' }))
    const lie = await answer(holder, claim, started, { token: resurrected, event: first })
    expect([lie.status, lie.body.code]).toEqual([422, 'proof-failed'])
    const { body } = await holder.get(`/v1/namespaces/${claim.namespace}`)
    expect(body).toMatchObject({ proof: { subject: `${issuer.url}#583231` } })
  })

  it('twin: the same number does, without another event', async () => {
    const first = event()
    const one = await answer(holder, claim, started, { token: await issuer.sign(job()), event: first })
    await begin(claim.namespace, claim.key)
    const before = at.registry.ledger.publishedSize()
    const two = await answer(holder, claim, started, { token: await issuer.sign(job()), event: first })
    expect([two.status, two.body.index]).toEqual([201, one.body.index])
    expect(at.registry.ledger.publishedSize()).toBe(before)
    const used = await answer(holder, claim, started, { token: await issuer.sign(job()), event: first })
    // The challenge is gone, and the answer is where the claim stands.
    expect([used.status, used.body.index]).toEqual([201, one.body.index])
  })

  it('cannot be looked at again, only proved again', async () => {
    await answer(holder, claim, started, { token: await issuer.sign(job()) })
    const reply = await holder.request('POST', `/v1/namespaces/${claim.namespace}/check`)
    expect([reply.status, reply.body.code]).toEqual([422, 'proof-kind'])
  })
})
