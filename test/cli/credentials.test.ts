import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Context } from '../../client/src/cli/context.js'
import { fileKeeper, processKeeper } from '../../client/src/cli/login/credentials.js'
import {
  parseCredentials,
  storedCredentials,
  type Credentials,
} from '../../client/src/cli/login/credentials-shape.js'
import { Secret } from '../../client/src/cli/login/secret.js'

const REGISTRY = 'https://registry.example.com'
const SECRET = 'abc-very-secret'

let home: string
let context: Context
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'countersign-home-'))
  context = { home, env: {}, signal: new AbortController().signal } as unknown as Context
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const file = (): string => join(home, 'credentials.json')
const token = { value: new Secret('at'), type: 'DPoP', expiresAt: 5, scope: 'registry:publish' } as const

const EACH: readonly Credentials[] = [
  { kind: 'secret', clientId: 'a', secret: new Secret(SECRET) },
  { kind: 'key', clientId: 'b', keyFile: '/keys/b.pem', passphraseFile: '/keys/b.txt' },
  {
    kind: 'refresh',
    clientId: 'c',
    refreshToken: new Secret(SECRET),
    issuer: 'https://login.example.com',
    resource: REGISTRY,
    scope: 'registry:publish',
    proofKey: new Secret('{}'),
    token,
  },
  { kind: 'workflow', clientId: 'd', account: 'robot' },
]

describe('what is kept', () => {
  it.each(EACH)('$kind comes back as it was', (credentials) => {
    const stored = JSON.parse(JSON.stringify(storedCredentials(credentials))) as unknown
    const back = parseCredentials(stored)
    expect(back && storedCredentials(back)).toEqual(storedCredentials(credentials))
  })

  it('is never shown by accident', () => {
    for (const credentials of EACH) {
      expect(JSON.stringify(credentials)).not.toContain(SECRET)
      expect(inspect(credentials, { depth: 9 })).not.toContain(SECRET)
    }
  })

  it.each([
    null,
    7,
    [],
    {},
    { clientId: 'a' },
    { kind: 'refresh', clientId: 'a' },
    { kind: 'king', clientId: 'a' },
  ])('counts %j as no login', (entry) => {
    expect(parseCredentials(entry)).toBeUndefined()
  })

  it('reads the file of the time when there was one kind of login, and writes the new one', async () => {
    const old = {
      clientId: 'a',
      clientSecret: SECRET,
      account: 'admin',
      token: { value: 'at', expiresAt: 5, scope: 's' },
    }
    writeFileSync(file(), JSON.stringify({ [REGISTRY]: old, 'https://other.example.com': old }), {
      mode: 0o600,
    })
    const keeper = fileKeeper(context, REGISTRY)
    expect(keeper.read()).toMatchObject({
      kind: 'secret',
      clientId: 'a',
      account: 'admin',
      token: { type: 'Bearer' },
    })
    await keeper.change((kept) => Promise.resolve(kept))
    const all = JSON.parse(readFileSync(file(), 'utf8')) as Record<string, object>
    expect(all[REGISTRY]).toMatchObject({ kind: 'secret', clientSecret: SECRET })
    expect(all['https://other.example.com']).toEqual(old)
  })
})

describe('the file', () => {
  it('is the owner’s alone, and is refused when others can read it', async () => {
    const keeper = fileKeeper(context, REGISTRY)
    await keeper.change(() => Promise.resolve(EACH[0]))
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    chmodSync(file(), 0o640)
    expect(() => keeper.read()).toThrow(expect.objectContaining({ code: 'io' }))
  })

  it('is gone with the last login', async () => {
    const keeper = fileKeeper(context, REGISTRY)
    await keeper.change(() => Promise.resolve(EACH[0]))
    await keeper.change(() => Promise.resolve(undefined))
    expect(() => statSync(file())).toThrow()
    await keeper.change(() => Promise.resolve(undefined))
  })

  it('is changed by one at a time: who comes second sees what the first one kept', async () => {
    const [one, two] = [fileKeeper(context, REGISTRY), fileKeeper(context, REGISTRY)]
    await one.change(() => Promise.resolve(EACH[0]))
    const seen: (string | undefined)[] = []
    const add = (letter: string) => async (kept: Credentials | undefined) => {
      seen.push(kept?.account)
      await new Promise((resolve) => setTimeout(resolve, 20))
      return kept && { ...kept, account: `${kept.account ?? ''}${letter}` }
    }
    await Promise.all([one.change(add('x')), two.change(add('y')), one.change(add('z'))])
    expect(one.read()?.account).toHaveLength(3)
    expect(seen.map((text) => text?.length ?? 0).sort()).toEqual([0, 1, 2])
  })

  it('stays as it was when the step fails, and the lock is free again', async () => {
    const keeper = fileKeeper(context, REGISTRY)
    await keeper.change(() => Promise.resolve(EACH[0]))
    await expect(keeper.change(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await keeper.change((kept) => Promise.resolve(kept))
    expect(keeper.read()?.clientId).toBe('a')
  })
})

it('a workflow’s login lasts as long as its process, and leaves nothing', async () => {
  const keeper = processKeeper(EACH[3]!)
  await keeper.change((kept) => Promise.resolve(kept && { ...kept, token }))
  expect(keeper.read()?.token?.scope).toBe('registry:publish')
  expect(() => statSync(file())).toThrow()
})
