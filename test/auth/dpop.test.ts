import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  SignJWT,
  type CryptoKey,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
} from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { AuthError } from '../../src/auth/errors.js'
import type { Principal } from '../../src/auth/scopes.js'
import { openAuthenticate, type AuthRequest } from '../../src/auth/token.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { Store } from '../../src/storage/store.js'
import { makeKey } from '../support/issuer.js'

// The registry is reached by this name, whatever it is bound to: proofs are for the name.
const REGISTRY = 'https://registry.example.com'
const AUDIT = `${REGISTRY}/v1/audit`

interface Holder {
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
  readonly jkt: string
}

async function newHolder(alg = 'ES256'): Promise<Holder> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(publicKey)
  return { alg, privateKey, jwk, jkt: await calculateJwkThumbprint(jwk) }
}

let dir: string
let store: Store
let tokenKey: JWK
let holder: Holder

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-dpop-'))
  store = await openSqliteStore(join(dir, 'registry.sqlite'))
  await store.createAccount({
    account: 'robot',
    kind: 'service',
    roles: ['auditor', 'admin'],
    disabled: false,
    createdAt: 0,
  })
  await store.createClient({
    clientId: 'client-1',
    account: 'robot',
    name: 'robot',
    authMethod: 'client_secret_basic',
    secretHash: '00'.repeat(32),
    redirectUris: [],
    grantTypes: ['client_credentials'],
    scopes: ['registry:audit', 'registry:admin'],
    disabled: false,
    createdAt: 0,
  })
  tokenKey = await makeKey('EdDSA')
  holder = await newHolder()
})
afterAll(async () => {
  await store.close()
  await rm(dir, { recursive: true, force: true })
})

const seconds = () => Math.floor(Date.now() / 1000)

/** An access token of our own, bound to the holder's key unless told otherwise. */
async function mint(change: JWTPayload = {}): Promise<string> {
  const now = seconds()
  const claims = { iss: REGISTRY, aud: REGISTRY, sub: 'client-1', client_id: 'client-1', jti: 'token' }
  return new SignJWT({
    ...claims,
    ...{ scope: 'registry:audit', iat: now, exp: now + 300, cnf: { jkt: holder.jkt } },
    ...change,
  })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: tokenKey.kid! })
    .sign(await importJWK(tokenKey, 'EdDSA'))
}

/** A proof by the book for GET of the audit, then something is changed. */
async function prove(
  token: string,
  change: JWTPayload = {},
  header: Partial<JWTHeaderParameters> = {},
  by: Holder = holder,
): Promise<string> {
  const ath = createHash('sha256').update(token).digest('base64url')
  const claims = { jti: crypto.randomUUID(), htm: 'GET', htu: AUDIT, iat: seconds(), ath }
  return new SignJWT({ ...claims, ...change })
    .setProtectedHeader({ alg: by.alg, typ: 'dpop+jwt', jwk: by.jwk, ...header })
    .sign(by.privateKey)
}

interface Sent {
  readonly scheme?: string
  readonly proofs?: readonly string[]
  readonly method?: string
  readonly path?: string
}

function authenticate(token: string, sent: Sent = {}, dpopAdmin = false): Promise<Principal> {
  const { scheme = 'DPoP', proofs, method = 'GET', path = '/v1/audit' } = sent
  const request: AuthRequest = { method, path, authorization: `${scheme} ${token}`, dpop: proofs }
  return openAuthenticate({ store, issuer: REGISTRY, tokenKey, dpopAdmin })(request)
}

async function refusal(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => new Error('it was let in'),
    (cause: unknown) => cause,
  )
  if (error instanceof AuthError) return error.code
  throw error
}

describe('a bound token with its proof', () => {
  it.each(['ES256', 'EdDSA', 'Ed25519'])('is let in: %s', async (alg) => {
    const by = await newHolder(alg)
    const token = await mint({ cnf: { jkt: by.jkt } })
    const principal = await authenticate(token, { proofs: [await prove(token, {}, {}, by)] })
    expect(principal).toMatchObject({ account: 'robot', isBound: true, scopes: ['registry:audit'] })
  })

  it('is for the URL without its query, on either side', async () => {
    const token = await mint()
    const path = '/v1/audit?limit=5&cursor=MQ'
    expect((await authenticate(token, { path, proofs: [await prove(token)] })).isBound).toBe(true)
    const asked = await prove(token, { htu: `${AUDIT}?limit=7#x` })
    expect((await authenticate(token, { path, proofs: [asked] })).isBound).toBe(true)
  })

  it('is for the URL however it is spelled', async () => {
    const token = await mint()
    const proof = await prove(token, { htu: 'HTTPS://Registry.EXAMPLE.com:443/v1/audit' })
    expect((await authenticate(token, { proofs: [proof] })).isBound).toBe(true)
  })

  it.each([-50, 50])('may be %i seconds off', async (off) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const token = await mint()
    const proof = await prove(token, { iat: seconds() + off })
    expect((await authenticate(token, { proofs: [proof] })).isBound).toBe(true)
  })
})

describe('a bound token is refused', () => {
  const cases: [string, (token: string) => Promise<Sent>][] = [
    ['without a proof', () => Promise.resolve({})],
    ['as Bearer, proof or not', async (token) => ({ scheme: 'Bearer', proofs: [await prove(token)] })],
    ['as Bearer without a proof', () => Promise.resolve({ scheme: 'Bearer' })],
    ['with two proofs', async (token) => ({ proofs: [await prove(token), await prove(token)] })],
    [
      'with two proofs in one header',
      async (token) => ({ proofs: [`${await prove(token)}, ${await prove(token)}`] }),
    ],
    ['with a long proof', async (token) => ({ proofs: [await prove(token, { pad: 'x'.repeat(5000) })] })],
    ['with what is no proof', () => Promise.resolve({ proofs: ['abc'] })],
    ['with an empty proof', () => Promise.resolve({ proofs: [''] })],
    [
      'with a proof by another key',
      async (token) => ({ proofs: [await prove(token, {}, {}, await newHolder())] }),
    ],
    [
      "with a proof that shows the holder's key and is signed by another",
      async (token) => ({ proofs: [await prove(token, {}, { jwk: holder.jwk }, await newHolder())] }),
    ],
    ['for another method', async (token) => ({ method: 'POST', proofs: [await prove(token)] })],
    ['for a method in other letters', async (token) => ({ proofs: [await prove(token, { htm: 'get' })] })],
    ['for another path', async (token) => ({ path: '/v1/account', proofs: [await prove(token)] })],
    [
      'for another host',
      async (token) => ({ proofs: [await prove(token, { htu: 'https://elsewhere.example/v1/audit' })] }),
    ],
    [
      'for the address behind the public URL',
      async (token) => ({ proofs: [await prove(token, { htu: 'http://127.0.0.1:8460/v1/audit' })] }),
    ],
    [
      'for the URL over plain HTTP',
      async (token) => ({ proofs: [await prove(token, { htu: AUDIT.replace('https', 'http') })] }),
    ],
    [
      'for the URL with a user in it',
      async (token) => ({ proofs: [await prove(token, { htu: AUDIT.replace('//', '//a:b@') })] }),
    ],
    [
      'when a path pretends to be a host',
      async (token) => ({ path: '//registry.example.com/v1/audit', proofs: [await prove(token)] }),
    ],
    ['for no URL', async (token) => ({ proofs: [await prove(token, { htu: '/v1/audit' })] })],
    ['with a stale proof', async (token) => ({ proofs: [await prove(token, { iat: seconds() - 90 })] })],
    [
      'with a proof from the future',
      async (token) => ({ proofs: [await prove(token, { iat: seconds() + 90 })] }),
    ],
    [
      'with a time that is no number',
      async (token) => ({ proofs: [await prove(token, { iat: 'now' as unknown as number })] }),
    ],
    [
      'with a proof for another token',
      async (token) => ({ proofs: [await prove(await mint({ jti: 'other' }))], token }),
    ],
    ['without ath', async (token) => ({ proofs: [await prove(token, { ath: undefined })] })],
    [
      'without jti',
      async (token) => ({ proofs: [await prove(token, { jti: undefined as unknown as string })] }),
    ],
    [
      'with a jti of any length',
      async (token) => ({ proofs: [await prove(token, { jti: 'x'.repeat(300) })] }),
    ],
    ['with an empty jti', async (token) => ({ proofs: [await prove(token, { jti: '' })] })],
    ['with a proof of another type', async (token) => ({ proofs: [await prove(token, {}, { typ: 'JWT' })] })],
    ['with the token as its proof', (token) => Promise.resolve({ proofs: [token] })],
    [
      'with its private key in the proof',
      async (token) => {
        const jwk = await exportJWK(holder.privateKey)
        return { proofs: [await prove(token, {}, { jwk })] }
      },
    ],
    ['without a key in the proof', async (token) => ({ proofs: [await prove(token, {}, { jwk: {} })] })],
    [
      'with a key off the curve',
      async (token) => ({ proofs: [await prove(token, {}, { jwk: { ...holder.jwk, y: holder.jwk.x! } })] }),
    ],
    [
      'with a key that is half one',
      async (token) => ({ proofs: [await prove(token, {}, { jwk: { kty: 'EC', crv: 'P-256' } })] }),
    ],
    [
      'with an algorithm that nobody allowed',
      async (token) => ({ proofs: [await prove(token, {}, {}, await newHolder('RS256'))] }),
    ],
    ['signed with a shared secret', async (token) => ({ proofs: [await symmetricProof(token)] })],
    ['with alg none', async (token) => ({ proofs: [await unsignedProof(token)] })],
  ]

  async function symmetricProof(token: string): Promise<string> {
    const secret = Buffer.alloc(32, 7)
    const jwk = { kty: 'oct', k: secret.toString('base64url') }
    const [, payload] = (await prove(token)).split('.')
    return new SignJWT(JSON.parse(Buffer.from(payload!, 'base64url').toString()) as JWTPayload)
      .setProtectedHeader({ alg: 'HS256', typ: 'dpop+jwt', jwk })
      .sign(secret)
  }

  async function unsignedProof(token: string): Promise<string> {
    const header = { alg: 'none', typ: 'dpop+jwt', jwk: holder.jwk }
    const [, payload] = (await prove(token)).split('.')
    return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload!}.`
  }

  it.each(cases)('%s', async (_, make) => {
    const token = await mint()
    expect(await refusal(authenticate(token, await make(token)))).toBe('dpop-invalid')
  })

  it('when neither the request nor the proof names a URL', async () => {
    const token = await mint()
    for (const htu of ['', 'nothing', '*']) {
      const sent = { path: ':port', proofs: [await prove(token, { htu })] }
      expect(await refusal(authenticate(token, sent))).toBe('dpop-invalid')
    }
  })

  it.each<[string, unknown]>([
    ['a word', () => String(seconds())],
    ['a list', () => [seconds()]],
    ['no number at all', () => true],
  ])('when its time is %s', async (_, iat) => {
    const token = await mint()
    const proofs = [await prove(token, { iat: (iat as () => number)() })]
    expect(await refusal(authenticate(token, { proofs }))).toBe('dpop-invalid')
  })

  it('when the proof was used before, also by a process that started since', async () => {
    const token = await mint()
    const proof = await prove(token)
    expect((await authenticate(token, { proofs: [proof] })).isBound).toBe(true)
    expect(await refusal(authenticate(token, { proofs: [proof] }))).toBe('dpop-invalid')
    await store.close()
    store = await openSqliteStore(join(dir, 'registry.sqlite'))
    expect(await refusal(authenticate(token, { proofs: [proof] }))).toBe('dpop-invalid')
    expect((await authenticate(token, { proofs: [await prove(token)] })).isBound).toBe(true)
  })

  it('once of many at the same instant', async () => {
    const token = await mint()
    const proofs = [await prove(token)]
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => authenticate(token, { proofs })))
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('and a proof that was refused for something else is not used up', async () => {
    const token = await mint()
    const proofs = [await prove(token)]
    expect(await refusal(authenticate(token, { method: 'POST', proofs }))).toBe('dpop-invalid')
    expect((await authenticate(token, { proofs })).isBound).toBe(true)
  })

  it.each<[string, unknown]>([
    ['a certificate', { 'x5t#S256': 'abc' }],
    ['a key and a certificate', { jkt: 'abc', 'x5t#S256': 'abc' }],
    ['nothing that can be checked', {}],
    ['a word', 'abc'],
  ])('when it is bound to %s', async (_, cnf) => {
    const token = await mint({ cnf })
    expect(await refusal(authenticate(token, { scheme: 'Bearer' }))).toBe('token-invalid')
  })
})

describe('a token that is not bound', () => {
  it('is let in as Bearer, and says so', async () => {
    const principal = await authenticate(await mint({ cnf: undefined }), { scheme: 'Bearer' })
    expect(principal.isBound).toBe(false)
  })

  it('is refused with the scheme DPoP, proof or not', async () => {
    const token = await mint({ cnf: undefined })
    expect(await refusal(authenticate(token, { proofs: [await prove(token)] }))).toBe('dpop-invalid')
    expect(await refusal(authenticate(token))).toBe('dpop-invalid')
  })
})

describe('where administering takes a bound token', () => {
  const scope = 'registry:audit registry:admin'

  it('one that is not bound is refused', async () => {
    const token = await mint({ cnf: undefined, scope })
    expect(await refusal(authenticate(token, { scheme: 'Bearer' }, true))).toBe('dpop-required')
    expect((await authenticate(token, { scheme: 'Bearer' })).isBound).toBe(false)
  })

  it('one that is bound is let in, and so is one that administers nothing', async () => {
    const token = await mint({ scope })
    expect((await authenticate(token, { proofs: [await prove(token)] }, true)).isBound).toBe(true)
    const reader = await mint({ cnf: undefined })
    expect((await authenticate(reader, { scheme: 'Bearer' }, true)).isBound).toBe(false)
  })
})
