import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportSPKI, importJWK, SignJWT, type CryptoKey, type JWTPayload } from 'jose'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AuthError } from '../../src/auth/errors.js'
import { openExternalIssuer, type ExternalSettings } from '../../src/auth/token/external.js'
import { openIssuers, type Issuers } from '../../src/auth/issuers.js'
import type { Principal } from '../../src/auth/scopes.js'
import { openAuthenticate, type Authenticate } from '../../src/auth/token.js'
import { openOutside } from '../../src/net/open-outside.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { Store } from '../../src/storage/store.js'
import { makeKey, startIssuer, type Issuer } from '../support/issuer.js'
import { PATIENT_MS } from '../support/ledger.js'

const REGISTRY = 'https://registry.example.com'
const ALGORITHMS = ['EdDSA', 'Ed25519', 'ES256', 'PS256', 'RS256']
const COOLDOWN_MS = 30_000
const USABLE_MS = 3_600_000

let dir: string
let store: Store
let issuer: Issuer
/** How far the clock of the key cache is ahead. */
let ahead = 0
let requests = 0
let issuers: Issuers

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-external-'))
  store = await openSqliteStore(join(dir, 'registry.sqlite'))
  issuer = await startIssuer({ roles: { claimed: ['reviewer', 'auditor', 'owner-of-everything'] } })
  issuers = newIssuers()
})
afterAll(async () => {
  await issuer.stop()
  await store.close()
  await rm(dir, { recursive: true, force: true })
})

/** The real way out, with its requests counted, and as much time for each as a busy machine may need. */
function newIssuers(): Issuers {
  const real = openOutside()
  const outside: typeof real = {
    resolveTxt: (name) => real.resolveTxt(name),
    request(url, options) {
      requests++
      return real.request(url, { ...options, timeoutMs: PATIENT_MS })
    },
  }
  return openIssuers({ outside, now: () => Date.now() + ahead })
}

const settings = (change: Partial<ExternalSettings> = {}): ExternalSettings => ({
  url: issuer.url,
  audience: REGISTRY,
  algorithms: ALGORITHMS,
  ...change,
})

let ownKey: Awaited<ReturnType<typeof makeKey>> | undefined

async function opened(
  change: Partial<ExternalSettings> = {},
  using = issuers,
  now = Date.now,
): Promise<Authenticate> {
  ownKey ??= await makeKey('EdDSA')
  const external = openExternalIssuer({ store, issuers: using, settings: settings(change), now })
  return openAuthenticate({ store, issuer: REGISTRY, tokenKey: ownKey, external, dpopAdmin: false })
}

async function authenticate(token: string, change?: Partial<ExternalSettings>): Promise<Principal> {
  return present(await opened(change), token)
}

function present(by: Authenticate, token: string): Promise<Principal> {
  return by({ method: 'GET', path: '/v1/account', authorization: `Bearer ${token}`, dpop: undefined })
}

async function refusal(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => new Error('it was let in'),
    (cause: unknown) => cause,
  )
  if (error instanceof AuthError) return error.code
  throw error
}

/** By the book for this registry, then something is changed. */
const forge = (claims: JWTPayload = {}, header = {}): Promise<string> =>
  issuer.forge({ aud: REGISTRY, sub: 'attacker', ...claims }, header)

describe("an external issuer's people and machines", () => {
  it('are accounts from their first token on, with no role until somebody gives one', async () => {
    const token = await issuer.personToken('member', REGISTRY)
    const first = await authenticate(token)
    expect(first).toMatchObject({ clientId: 'countersign', roles: [], isBound: false })
    expect(first.account).toMatch(/^x-[a-z2-7]{16}$/)
    expect(first.scopes).toContain('registry:publish')
    const row = await store.readAccountBySubject(issuer.url, 'member')
    expect(row).toMatchObject({ account: first.account, kind: 'person', roles: [], disabled: false })

    await store.updateAccount(first.account, { roles: ['publisher'] })
    const later = await authenticate(await issuer.personToken('member', REGISTRY))
    expect([later.account, later.person, later.roles]).toEqual([first.account, first.account, ['publisher']])
  })

  it('are one account each, however many first requests come at once', async () => {
    const token = await issuer.personToken('colleague', REGISTRY)
    const by = await opened()
    const all = await Promise.all(Array.from({ length: 6 }, () => present(by, token)))
    expect(new Set(all.map(({ account }) => account)).size).toBe(1)
    const other = await authenticate(await issuer.personToken('visitor', REGISTRY))
    expect(other.account).not.toBe(all[0]?.account)
  })

  it('a machine by client credentials is a service', async () => {
    const { account, clientId } = await authenticate(await issuer.machineToken(REGISTRY))
    expect(clientId).toBe('robot')
    expect((await store.readAccount(account))?.kind).toBe('service')
  })

  it('have the scopes of their token and no others', async () => {
    const token = await issuer.personToken('member', REGISTRY, { scope: 'registry:audit' })
    expect((await authenticate(token)).scopes).toEqual(['registry:audit'])
  })

  it('the one that the configuration names is an admin from the start', async () => {
    const principal = await authenticate(await issuer.personToken('first-admin', REGISTRY), {
      admin: 'first-admin',
    })
    expect(principal.roles).toContain('admin')
    const other = await authenticate(await issuer.personToken('first-admin2', REGISTRY), {
      admin: 'first-admin',
    })
    expect(other.roles).toEqual([])
  })

  it('and is an admin too when the configuration names it later, or somebody took the role', async () => {
    const token = await issuer.personToken('promoted', REGISTRY)
    const { account } = await authenticate(token)
    expect((await authenticate(token, { admin: 'promoted' })).roles).toEqual(['admin'])
    await store.updateAccount(account, { roles: ['auditor'] })
    expect((await authenticate(token, { admin: 'promoted' })).roles).toEqual(['auditor', 'admin'])
    expect((await store.readAccount(account))?.roles).toEqual(['auditor', 'admin'])
  })

  it('may be bound to a key as anyone (RFC 9449)', async () => {
    const pair = await oauth.generateKeyPair('ES256')
    const dpop = oauth.DPoP({}, pair)
    const token = await issuer.personToken('member', REGISTRY, { dpop })
    const by = await opened()
    expect(await refusal(present(by, token))).toBe('dpop-invalid')
    const jwk = await crypto.subtle.exportKey('jwk', pair.publicKey)
    const proof = await new SignJWT({
      jti: crypto.randomUUID(),
      htm: 'GET',
      htu: `${REGISTRY}/v1/account`,
      ath: Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(token))).toString('base64url'),
    })
      .setIssuedAt()
      .setProtectedHeader({
        alg: 'ES256',
        typ: 'dpop+jwt',
        jwk: { kty: jwk.kty!, crv: jwk.crv!, x: jwk.x!, y: jwk.y! },
      })
      .sign(pair.privateKey)
    const bound = await by({
      method: 'GET',
      path: '/v1/account',
      authorization: `DPoP ${token}`,
      dpop: [proof],
    })
    expect(bound.isBound).toBe(true)
  })
})

describe('a person and a machine of one name', () => {
  it('are not one account: a client that is called like a person speaks for nobody', async () => {
    const person = await authenticate(await forge({ sub: 'boss' }), { admin: 'boss' })
    expect(person.roles).toContain('admin')
    const machine = await forge({ sub: 'boss', client_id: 'boss' })
    expect(await refusal(authenticate(machine, { admin: 'boss' }))).toBe('token-invalid')
    expect((await authenticate(await forge({ sub: 'boss' }))).account).toBe(person.account)
  })

  it('also when the client comes first', async () => {
    const machine = await forge({ sub: 'owner', client_id: 'owner' })
    expect((await authenticate(machine, { admin: 'owner' })).roles).toEqual([])
  })

  it('nor the other way round', async () => {
    await authenticate(await forge({ sub: 'deploy', client_id: 'deploy' }))
    expect(await refusal(authenticate(await forge({ sub: 'deploy' })))).toBe('token-invalid')
  })
})

describe('an issuer whose clock is a little ahead', () => {
  it('is understood', async () => {
    const iat = Math.floor(Date.now() / 1000) + 10
    expect((await authenticate(await forge({ sub: 'early', iat, nbf: iat }))).roles).toEqual([])
  })
})

describe('a claim that lists roles', () => {
  const rolesClaim = 'registry_roles'
  /** Later than any start so far: of what is issued from then on, everybody knows that it is the newest. */
  const soon = (): number => Math.floor(Date.now() / 1000) + 2

  it('decides alone, and says nothing of roles that are none', async () => {
    const { account, roles } = await authenticate(await issuer.personToken('claimed', REGISTRY), {
      rolesClaim,
    })
    expect([...roles].sort()).toEqual(['auditor', 'reviewer'])
    await store.updateAccount(account, { roles: ['publisher'] })
    const again = await authenticate(await issuer.personToken('claimed', REGISTRY), { rolesClaim })
    expect([...again.roles].sort()).toEqual(['auditor', 'reviewer'])
    expect([...((await store.readAccount(account))?.roles ?? [])].sort()).toEqual(['auditor', 'reviewer'])
  })

  it('takes roles away, which an older token does not bring back', async () => {
    const now = Math.floor(Date.now() / 1000)
    const by = await opened({ rolesClaim }, issuers, () => Date.now() - 60_000)
    const older = await forge({ sub: 'demoted', iat: now - 20, registry_roles: ['admin'] })
    const newer = await forge({ sub: 'demoted', iat: now - 10, registry_roles: 'auditor' })
    expect((await present(by, older)).roles).toEqual(['admin'])
    expect((await present(by, newer)).roles).toEqual(['auditor'])
    expect((await present(by, older)).roles).toEqual(['auditor'])
  })

  it('and another process, or one that starts anew, does not forget that it takes them away', async () => {
    const now = Math.floor(Date.now() / 1000)
    const older = await forge({ sub: 'returned', iat: now - 20, registry_roles: ['admin'] })
    const newer = await forge({ sub: 'returned', iat: now - 10.5, registry_roles: 'auditor' })
    const [first, second] = [await opened({ rolesClaim }), await opened({ rolesClaim })]
    const { account, roles } = await present(first, older)
    expect(roles).toEqual(['admin'])
    expect((await present(second, newer)).roles).toEqual(['auditor'])
    for (const by of [first, second, await opened({ rolesClaim })]) {
      expect((await present(by, older)).roles).toEqual(['auditor'])
      expect((await present(by, newer)).roles).toEqual(['auditor'])
    }
    expect((await store.readAccount(account))?.roles).toEqual(['auditor'])
    const fresh = await forge({ sub: 'returned', iat: soon(), registry_roles: ['reviewer'] })
    expect((await present(first, fresh)).roles).toEqual(['reviewer'])
  })

  it('also when both come at once, in whichever order they are looked at', async () => {
    const now = Math.floor(Date.now() / 1000)
    const older = await forge({ sub: 'both', iat: now - 20, registry_roles: ['admin'] })
    const newer = await forge({ sub: 'both', iat: now - 10, registry_roles: 'auditor' })
    const { account } = await authenticate(await forge({ sub: 'both', iat: now - 30 }), { rolesClaim })
    const asked = [older, newer, older, newer].map(async (token) =>
      present(await opened({ rolesClaim }), token),
    )
    await Promise.all(asked)
    expect((await store.readAccount(account))?.roles).toEqual(['auditor'])
  })

  it('gives no more than both say where nobody knows which token was the newest', async () => {
    const now = Math.floor(Date.now() / 1000)
    const subject = { issuer: issuer.url, sub: 'of-before' }
    const row = { account: 'x-of-before', kind: 'person', subject, disabled: false, createdAt: 1 } as const
    await store.createAccount({ ...row, roles: ['auditor'] })
    const older = await forge({ sub: 'of-before', iat: now - 20, registry_roles: ['admin'] })
    const both = await forge({ sub: 'of-before', iat: now - 10, registry_roles: ['admin', 'auditor'] })
    const by = await opened({ rolesClaim })
    expect((await present(by, older)).roles).toEqual([])
    expect((await present(by, both)).roles).toEqual(['auditor'])
    expect((await store.readAccount(row.account))?.roles).toEqual(['auditor'])
    const fresh = await forge({ sub: 'of-before', iat: soon(), registry_roles: ['reviewer'] })
    expect((await present(by, fresh)).roles).toEqual(['reviewer'])
    expect((await present(by, both)).roles).toEqual(['reviewer'])
  })

  it.each<[string, unknown]>([
    ['is absent', undefined],
    ['is an object', { admin: true }],
    ['is a number', 7],
    ['lists lists', [['admin']]],
  ])('gives nothing when it %s', async (_, value) => {
    expect(
      (await authenticate(await forge({ sub: 'nobody-special', [rolesClaim]: value }), { rolesClaim })).roles,
    ).toEqual([])
  })

  it('is read as a claim, whatever it is called', async () => {
    const asked = { rolesClaim: 'constructor' }
    expect((await authenticate(await forge({ sub: 'nobody-special' }), asked)).roles).toEqual([])
  })
})

describe('a token of the external issuer is refused', () => {
  const now = () => Math.floor(Date.now() / 1000)

  it('by the book it is not, so that the refusals below are for their change alone', async () => {
    expect((await authenticate(await forge())).roles).toEqual([])
  })

  it.each<[string, () => Promise<string>]>([
    ['for another audience', () => issuer.machineToken('https://elsewhere.example')],
    ['for our audience with a slash', () => forge({ aud: `${REGISTRY}/` })],
    ['expired', () => forge({ iat: now() - 600, exp: now() - 60 })],
    ['without an expiry', () => forge({ exp: undefined as unknown as number })],
    ['of a very long life, and old', () => forge({ iat: now() - 90_000, exp: now() + 90_000 })],
    ['not yet valid', () => forge({ nbf: now() + 600 })],
    ['from the future', () => forge({ iat: now() + 600 })],
    ['that is an identity token', () => forge({}, { typ: 'JWT' })],
    ['without a type', () => forge({}, { typ: undefined })],
    ['without a client', () => forge({ client_id: undefined })],
    ['without an id', () => forge({ jti: undefined as unknown as string })],
    ['without a subject', () => forge({ sub: undefined as unknown as string })],
    ['with an empty subject', () => forge({ sub: '' })],
    ['with a subject that is too long', () => forge({ sub: 'x'.repeat(256) })],
    ['with a subject in several lines', () => forge({ sub: 'a\nb' })],
    ['with a subject that is a number', () => forge({ sub: 7 as unknown as string })],
    ['with an extension that must be understood', () => forge({}, { crit: ['x'], x: 1 })],
    ['of a key that the issuer does not have', signedByStranger],
    ['that brings its own key', bringingItsKey],
    ['signed with its public key as a shared secret', signedWithPublicKey],
    ['without a signature', unsigned],
    ['with a changed payload', changed],
  ])('%s', async (_, make) => {
    expect(await refusal(authenticate(await make()))).toBe('token-invalid')
  })

  it('signed with an algorithm that the configuration does not name', async () => {
    expect(await refusal(authenticate(await forge(), { algorithms: ['ES256'] }))).toBe('token-invalid')
  })

  it.each([['https://elsewhere.example'], ['http://127.0.0.1:9'], ['x'.repeat(20)]])(
    'of another issuer, which nobody asks: %s',
    async (iss) => {
      const before = requests
      expect(await refusal(authenticate(await forge({ iss })))).toBe('token-invalid')
      expect(requests).toBe(before)
    },
  )

  it('when it says that it is of ours', async () => {
    expect(await refusal(authenticate(await forge({ iss: REGISTRY })))).toBe('token-invalid')
  })

  it('when its account is disabled, or was signed out since', async () => {
    const token = await forge({ sub: 'barred' })
    const { account } = await authenticate(token)
    await store.updateAccount(account, { tokensBefore: now() + 1 })
    expect(await refusal(authenticate(token))).toBe('token-invalid')
    await store.updateAccount(account, { tokensBefore: 0 })
    expect((await authenticate(token)).account).toBe(account)
    await store.updateAccount(account, { disabled: true })
    expect(await refusal(authenticate(token))).toBe('account-disabled')
    expect(await refusal(authenticate(token, { admin: 'barred' }))).toBe('account-disabled')
  })

  async function signedByStranger(): Promise<string> {
    const stranger = await makeKey('RS256')
    return signed({ alg: 'RS256', kid: issuer.key.kid! }, await importJWK(stranger, 'RS256'))
  }

  async function bringingItsKey(): Promise<string> {
    const stranger = await makeKey('RS256')
    const jwk = { kty: 'RSA', n: stranger.n!, e: stranger.e! }
    return signed({ alg: 'RS256', jwk }, await importJWK(stranger, 'RS256'))
  }

  async function signedWithPublicKey(): Promise<string> {
    const { kty, n, e } = issuer.key
    const key = await importJWK({ kty: kty!, n: n!, e: e! }, 'RS256', { extractable: true })
    const pem = new TextEncoder().encode(await exportSPKI(key as CryptoKey))
    return signed({ alg: 'HS256', kid: issuer.key.kid! }, pem)
  }

  function signed(
    header: { alg: string; [name: string]: unknown },
    key: CryptoKey | Uint8Array,
  ): Promise<string> {
    const claims = { iss: issuer.url, aud: REGISTRY, sub: 'attacker', client_id: 'c', jti: 'j' }
    return new SignJWT({ ...claims, iat: now(), exp: now() + 300 })
      .setProtectedHeader({ typ: 'at+jwt', ...header })
      .sign(key)
  }

  async function unsigned(): Promise<string> {
    const [, payload] = (await forge()).split('.')
    const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url')
    return `${header}.${payload!}.`
  }

  async function changed(): Promise<string> {
    const [header, payload, signature] = (await forge()).split('.')
    const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString()) as JWTPayload
    const text = JSON.stringify({ ...claims, sub: 'first-admin' })
    return `${header!}.${Buffer.from(text).toString('base64url')}.${signature!}`
  }
})

describe('the keys of the external issuer', () => {
  it('are fetched once, and a flood of unknown key ids does not change that', async () => {
    const own = newIssuers()
    const by = await opened({}, own)
    const before = requests
    for (let i = 0; i < 20; i++) await present(by, await forge())
    const fetched = requests - before
    expect(fetched).toBeLessThanOrEqual(3)
    const floods = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => refusal(present(by, await forge({}, { kid: `no-${i}` })))),
    )
    expect(new Set(floods)).toEqual(new Set(['token-invalid']))
    expect(requests - before).toBe(fetched)
  })

  it('are followed when they change, and a key that is gone stops working', async () => {
    const by = await opened()
    const old = await forge()
    await present(by, old)
    await issuer.restart([await makeKey('RS256')])
    ahead += COOLDOWN_MS
    const before = requests
    expect((await present(by, await issuer.personToken('member', REGISTRY))).clientId).toBe('countersign')
    expect(requests).toBeGreaterThan(before)
    expect(await refusal(present(by, old))).toBe('token-invalid')
  })

  it('may be used for a while when the issuer is out of reach, and then nothing of it is let in', async () => {
    const by = await opened()
    const token = await issuer.personToken('member', REGISTRY)
    await present(by, token)
    await issuer.stop()
    try {
      expect((await present(by, token)).clientId).toBe('countersign')
      ahead += COOLDOWN_MS
      // Whether the issuer has this key now, nobody can say.
      expect(await refusal(present(by, await forge({}, { kid: 'new' })))).toBe('issuer-unreachable')
      expect(await refusal(present(await opened({}, newIssuers()), token))).toBe('issuer-unreachable')
      ahead += USABLE_MS
      expect(await refusal(present(by, token))).toBe('issuer-unreachable')
    } finally {
      await issuer.restart()
    }
    ahead += COOLDOWN_MS
    expect((await present(by, token)).clientId).toBe('countersign')
  })

  it('of the registry itself need no issuer', async () => {
    await issuer.stop()
    try {
      const by = await opened({}, newIssuers())
      const token = await new SignJWT({ iss: REGISTRY, aud: REGISTRY, sub: 'c', client_id: 'c', jti: 'j' })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: ownKey!.kid! })
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(await importJWK(ownKey!, 'EdDSA'))
      // It got as far as its client, which is none: its signature was checked without anyone.
      expect(await refusal(present(by, token))).toBe('account-disabled')
    } finally {
      await issuer.restart()
    }
  })
})

describe('an issuer that answers crookedly lets nobody in', () => {
  const json =
    (value: (url: string) => unknown, status = 200): ((url: string) => RequestListener) =>
    (url) =>
    (_req, res) =>
      void res.writeHead(status).end(JSON.stringify(value(url)))
  const serve =
    (pages: Record<string, (url: string) => unknown>) =>
    (url: string): RequestListener =>
    (req, res) => {
      const page = pages[req.url ?? '']
      res.writeHead(page === undefined ? 404 : 200).end(page === undefined ? '' : JSON.stringify(page(url)))
    }
  const OIDC = '/.well-known/openid-configuration'

  it.each<[string, (url: string) => RequestListener]>([
    ['no discovery', serve({})],
    ['an error', json(() => ({}), 500)],
    ['a redirect', () => (_req, res) => void res.writeHead(302, { location: `${issuer.url}${OIDC}` }).end()],
    ['what is no JSON', () => (_req, res) => void res.end('<html>')],
    ['a list', json(() => [])],
    ['null', json(() => null)],
    [
      'another issuer, and the right keys',
      serve({
        [OIDC]: (url) => ({ issuer: `${url}/`, jwks_uri: `${url}/jwks` }),
        '/jwks': () => ({ keys: [publicKey()] }),
      }),
    ],
    ['no key set', serve({ [OIDC]: (url) => ({ issuer: url }) })],
    ['a key set that is not there', serve({ [OIDC]: (url) => ({ issuer: url, jwks_uri: `${url}/jwks` }) })],
    ['a key set in a file', serve({ [OIDC]: (url) => ({ issuer: url, jwks_uri: 'file:///etc/passwd' }) })],
    [
      'a key set in the network of the registry',
      serve({ [OIDC]: (url) => ({ issuer: url, jwks_uri: `${issuer.url}/jwks` }) }),
    ],
    [
      'keys that are no list',
      serve({ [OIDC]: (url) => ({ issuer: url, jwks_uri: `${url}/jwks` }), '/jwks': () => ({ keys: {} }) }),
    ],
    [
      'more keys than anyone has',
      serve({
        [OIDC]: (url) => ({ issuer: url, jwks_uri: `${url}/jwks` }),
        '/jwks': () => ({ keys: Array.from({ length: 65 }, () => issuer.key) }),
      }),
    ],
    ['a flood', () => (_req, res) => void res.end(JSON.stringify({ pad: 'x'.repeat(300_000) }))],
  ])('%s', async (_, listener) => {
    await withServer(listener, async (url) => {
      const by = await opened({ url }, newIssuers())
      expect(await refusal(present(by, await forge({ iss: url })))).toBe('issuer-unreachable')
    })
  })

  it('while by the book, and with keys that are of no use beside its own, it is let in', async () => {
    const own = publicKey()
    const keys = [{ ...own, kty: 'oct', k: 'AAAA' }, { ...own, use: 'enc' }, null, own]
    const pages = {
      [OIDC]: (url: string) => ({ issuer: url, jwks_uri: `${url}/jwks` }),
      '/jwks': () => ({ keys }),
    }
    await withServer(serve(pages), async (url) => {
      const by = await opened({ url }, newIssuers())
      expect((await present(by, await forge({ iss: url }))).roles).toEqual([])
    })
  })

  function publicKey() {
    const { kty, n, e, kid } = issuer.key
    return { kty, n, e, kid }
  }

  async function withServer(
    listener: (url: string) => RequestListener,
    act: (url: string) => Promise<void>,
  ): Promise<void> {
    const server = createServer()
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('request', listener(url))
    try {
      await act(url)
    } finally {
      await new Promise((closed) => server.close(closed))
    }
  }
})
