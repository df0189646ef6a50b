import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addRoutes } from '../../../src/http/app.js'
import type { Rooms } from '../../../src/http/rooms.js'
import type { AddRoute, Method } from '../../../src/http/route.js'
import type { Needs } from '../../../src/auth/scopes.js'
import { send, type Caller, type Reply } from '../../support/registry.js'
import { ROWS, type Expected, type Row } from './rows.js'
import {
  openBinding,
  openMatrixWorld,
  ROLES,
  scopeOf,
  type MatrixRole,
  type MatrixWorld,
  type Which,
} from './world.js'

// A33: every route x every role x { own, foreign namespace } x { no token, expired, another audience, another scope,
// no role any more, a proof that was seen }. The routes are the registry's own table: a new one without a row fails.

interface TableRoute {
  readonly name: string
  readonly method: Method
  readonly needs: Needs | undefined
}

/** Every line of the API's index. Handlers are not called: what the rooms are does not matter. */
function routeTable(): TableRoute[] {
  const table: TableRoute[] = []
  const add: AddRoute = (method, path, { scope }) => {
    table.push({ name: `${method.toUpperCase()} ${path}`, method, needs: scope })
  }
  addRoutes(add, { context: {}, auth: {}, publicUrl: 'https://registry.example' } as unknown as Rooms)
  return table
}

const TABLE = routeTable()
const CLOSED = TABLE.filter(({ needs }) => needs !== undefined)

/** Refusals that say who, not what. */
const ACCESS = new Set([
  ...['token-missing', 'token-invalid', 'account-disabled', 'dpop-invalid', 'dpop-required', 'token-limited'],
  ...['scope-missing', 'role-missing', 'namespace-not-granted', 'namespace-taken', 'own-work'],
  ...['decider-not-allowed', 'not-trusted-here', 'key-unknown'],
])

let world: MatrixWorld
beforeAll(async () => {
  world = await openMatrixWorld()
})
afterAll(() => world.close())

function rowOf({ name }: TableRoute): Row {
  const row = ROWS[name]
  if (row === undefined) throw new Error(`${name} has no row in the matrix`)
  return row
}

function request(
  route: TableRoute,
  which: Which,
  token: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const row = rowOf(route)
  const body = row.body?.(world, which)
  return send(world.at.url, route.method.toUpperCase(), row.path(world, which), {
    ...(body !== undefined && { body }),
    token,
    headers,
  })
}

/** `let in`, or the code of who was refused. Whoever is let in gets no 401 and no 403. */
function verdictOf({ status, body }: Reply): string {
  const { code = '' } = body as { code?: string }
  if (ACCESS.has(code)) return code
  return status === 401 || status === 403 || status >= 500 ? `${status} ${code}` : 'let in'
}

function scopesOf({ needs }: TableRoute): readonly string[] {
  if (needs === 'any') return ROLES.map(scopeOf)
  return typeof needs === 'string' ? [needs] : (needs ?? [])
}

function expectedFor(route: TableRoute, role: MatrixRole, which: Which): string {
  if (!scopesOf(route).includes(scopeOf(role))) return 'scope-missing'
  const expected: Expected = rowOf(route)[which]
  if (typeof expected === 'string') return expected
  return expected[role] ?? `the row says nothing about a ${role}`
}

/** Somebody who would be let in. */
function holderOf(route: TableRoute): { role: MatrixRole; caller: Caller } {
  const role = ROLES.find((one) => scopesOf(route).includes(scopeOf(one))) ?? 'auditor'
  return { role, caller: world.callers[role] }
}

describe('the role matrix', () => {
  it('has a row for every route, and no row for none', () => {
    expect(TABLE.length).toBeGreaterThan(50)
    expect(Object.keys(ROWS).sort()).toEqual(TABLE.map(({ name }) => name).sort())
  })

  for (const which of ['own', 'foreign'] as const) {
    it(`lets each role into its own routes alone: ${which} namespace`, async () => {
      const found: Record<string, string> = {}
      const expected: Record<string, string> = {}
      for (const route of CLOSED) {
        for (const role of ROLES) {
          const key = `${route.name} as ${role}`
          found[key] = verdictOf(await request(route, which, await world.callers[role].token()))
          expected[key] = expectedFor(route, role, which)
        }
      }
      expect(found).toEqual(expected)
    })
  }

  it('is open where nothing is asked, to whoever comes without a token', async () => {
    for (const route of TABLE.filter(({ needs }) => needs === undefined)) {
      const reply = await request(route, 'foreign', undefined)
      // A wrong one-time password is a refusal of its own, not one of a token.
      const allowed = route.name === 'POST /v1/bootstrap' ? '401 credentials-invalid' : 'let in'
      expect([route.name, verdictOf(reply)]).toEqual([route.name, allowed])
    }
  })

  it('answers no token with 401 and the way to one', async () => {
    for (const route of CLOSED) {
      const { status, body, headers } = await request(route, 'own', undefined)
      expect([route.name, status, (body as { code?: string }).code]).toEqual([
        route.name,
        401,
        'token-missing',
      ])
      expect(headers.get('www-authenticate')).toContain('resource_metadata=')
    }
  })

  it('is no wider under another spelling or another method', async () => {
    const upper = (path: string) => path.replace(/[a-z]/g, (letter) => letter.toUpperCase())
    const spellings: readonly ((path: string) => string)[] = [
      (path) => `${path}/`,
      (path) => `/${path}`,
      (path) => path.replace('/v1', '/%76%31'),
      upper,
    ]
    for (const route of CLOSED) {
      const path = rowOf(route).path(world, 'own').replace(/\?.*$/, '')
      const body = rowOf(route).body?.(world, 'own')
      const method = route.method.toUpperCase()
      const asked: [string, string][] = [
        ...spellings.map((spell): [string, string] => [method, spell(path)]),
        ...['HEAD', 'PATCH', 'TRACED'].map((other): [string, string] => [other, path]),
      ]
      for (const [how, where] of asked) {
        const { status } = await send(world.at.url, how, where, how === method ? { body } : {})
        expect([how, where, [400, 401, 404].includes(status)]).toEqual([how, where, true])
      }
    }
  })

  it('refuses a token that is expired, or for another audience, also on open routes', async () => {
    const past = Math.floor(Date.now() / 1000) - 3600
    const spoilt = [
      { iat: past - 300, exp: past },
      { aud: 'https://other.example' },
      { aud: [world.at.url, 'https://other.example'], iss: 'https://other.example' },
    ]
    for (const route of TABLE) {
      const { role, caller } = holderOf(route)
      for (const claims of spoilt) {
        const token = await world.mint(caller, { scope: scopeOf(role), ...claims })
        expect([route.name, verdictOf(await request(route, 'own', token))]).toEqual([
          route.name,
          'token-invalid',
        ])
      }
    }
  })

  it('refuses a token of another scope, and one whose account has lost the role', async () => {
    for (const route of CLOSED.filter(({ needs }) => needs !== 'any')) {
      const { caller } = holderOf(route)
      const bare = await world.mint(caller, { scope: 'openid registry:everything' })
      expect([route.name, verdictOf(await request(route, 'own', bare))]).toEqual([
        route.name,
        'scope-missing',
      ])
    }
    const { store } = world.at.registry
    for (const role of ROLES) {
      const { client } = world.callers[role]
      await store.updateAccount(client.account, { roles: [] })
      for (const route of CLOSED.filter((one) => one.needs !== 'any' && holderOf(one).role === role)) {
        const token = await world.mint(world.callers[role], { scope: scopeOf(role) })
        expect([route.name, verdictOf(await request(route, 'own', token))]).toEqual([
          route.name,
          'role-missing',
        ])
      }
      await store.updateAccount(client.account, { roles: [role] })
    }
  })

  it('takes a proof of possession once, and a bound token never without one', async () => {
    const binding = await openBinding()
    for (const route of TABLE) {
      const { role, caller } = holderOf(route)
      const token = await world.mint(caller, { scope: scopeOf(role), cnf: { jkt: binding.jkt } })
      const url = world.at.url + rowOf(route).path(world, 'own').replace(/\?.*$/, '')
      const proof = await binding.prove(route.method.toUpperCase(), url, token)
      const headers = { authorization: `DPoP ${token}`, dpop: proof }
      const first = verdictOf(await request(route, 'own', undefined, headers))
      expect([route.name, first]).not.toEqual([route.name, 'dpop-invalid'])
      const again = verdictOf(await request(route, 'own', undefined, headers))
      expect([route.name, again]).toEqual([route.name, 'dpop-invalid'])
      expect([route.name, verdictOf(await request(route, 'own', token))]).toEqual([
        route.name,
        'dpop-invalid',
      ])
    }
  })

  it('opens one door to a workflow: publishing', async () => {
    const { client } = world.callers.publisher
    const row = {
      id: 'tp-matrix',
      namespace: 'com.own',
      issuer: 'https://ci.example',
      by: 'admin',
      createdAt: 0,
    }
    await world.at.registry.store.createTrustedPublisher({ ...row, claims: {}, account: client.account })
    const token = await world.mint(world.callers.publisher, {
      ...{
        sub: 'countersign-cli',
        client_id: 'countersign-cli',
        scope: world.scopes,
        account: client.account,
      },
      ...{ trusted_publishers: ['tp-matrix'], servers: ['com.own/*'] },
    })
    for (const route of CLOSED) {
      const expected = ['POST /v1/manifests', 'GET /v1/account'].includes(route.name)
        ? 'let in'
        : 'token-limited'
      expect([route.name, verdictOf(await request(route, 'own', token))]).toEqual([route.name, expected])
    }
  })
})
