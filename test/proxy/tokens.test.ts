import { describe, expect, it } from 'vitest'
import { tokenFacts } from '../../client/src/tokens/index.js'
import { openRawHttp } from '../support/http-raw.js'

function jwt(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part(claims)}.`
}

const scopesOf = async (token: string | undefined): Promise<string[] | undefined> => {
  const scopes = await tokenFacts(() => Promise.resolve(token)).scopes()
  return scopes && [...scopes]
}

describe('the scopes of a token', () => {
  it.each<[string, string | undefined, string[] | undefined]>([
    ['a JWT of RFC 9068', jwt({ scope: 'mail:read  mail:send' }), ['mail:read', 'mail:send']],
    ['a JWT with a list', jwt({ scp: ['a', 'b', 7] }), ['a', 'b']],
    ['a JWT with scp as text', jwt({ scp: 'a b' }), ['a', 'b']],
    ['a JWT of no scope', jwt({ scope: '' }), []],
    ['a JWT that says nothing of scopes', jwt({ sub: 'a' }), undefined],
    ['an opaque token', 'opaque', undefined],
    ['no token', undefined, undefined],
  ])('%s', async (_, token, expected) => {
    expect(await scopesOf(token)).toEqual(expected)
  })

  it('are those of the newest token', async () => {
    let token = jwt({ scope: 'a' })
    const facts = tokenFacts(() => Promise.resolve(token))
    expect([...((await facts.scopes()) ?? [])]).toEqual(['a'])
    token = jwt({ scope: 'b' })
    expect([...((await facts.scopes()) ?? [])]).toEqual(['b'])
  })
})

describe('an opaque token, where an endpoint is configured', () => {
  const secret = { clientId: 'guard a', clientSecret: 's:1' }

  it('is asked for once until its end, by whom the endpoint knows', async () => {
    const http = await openRawHttpForms(() => ({ active: true, scope: 'a b', exp: 1_000 }))
    let now = 0
    const facts = tokenFacts(() => Promise.resolve('opaque'), {
      introspection: { url: http.url, ...secret },
      now: () => now,
    })
    for (now of [0, 299_000, 300_000, 599_000, 900_000, 999_000, 1_000_000]) {
      expect([...((await facts.scopes()) ?? [])]).toEqual(['a', 'b'])
    }
    // At first, after each 300 s in which it is believed, and at its end.
    expect(http.asked).toHaveLength(4)
    expect(http.asked[0]).toEqual({
      authorization: `Basic ${Buffer.from('guard+a:s%3A1').toString('base64')}`,
      form: 'token=opaque&token_type_hint=access_token',
    })
  })

  it.each<[string, unknown, string[] | undefined]>([
    ['that is dead has none', { active: false }, []],
    ['of which it says nothing sure is unknown', { active: 'yes', scope: 'a' }, []],
    ['without scopes is unknown', { active: true }, undefined],
    ['answered by no object is unknown', [], undefined],
    ['answered by an error is unknown', 500, undefined],
    ['answered by too much is unknown', { active: true, scope: 'a'.repeat(100_000) }, undefined],
  ])('%s', async (_, answer, expected) => {
    const { url } = await openRawHttpForms(() => answer)
    const scopes = await tokenFacts(() => Promise.resolve('opaque'), {
      introspection: { url, ...secret },
    }).scopes()
    expect(scopes && [...scopes]).toEqual(expected)
  })

  it('goes nowhere else, and is unknown where nobody answers', async () => {
    const elsewhere = await openRawHttpForms(() => ({ active: true, scope: 'a' }))
    const http = await openRawHttp((_, response) =>
      response.writeHead(307, { location: elsewhere.url }).end(),
    )
    const ask = (url: string) =>
      tokenFacts(() => Promise.resolve('opaque'), { introspection: { url, ...secret } }).scopes()
    expect(await ask(http.url)).toBeUndefined()
    expect(elsewhere.asked).toEqual([])
    await http.close()
    expect(await ask(http.url)).toBeUndefined()
  })
})

async function openRawHttpForms(answer: () => unknown) {
  const asked: { authorization: string | undefined; form: string }[] = []
  const http = await openRawHttp(({ headers, text }, response) => {
    asked.push({ authorization: headers.authorization, form: text })
    const said = answer()
    if (typeof said === 'number') response.writeHead(said).end()
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(said))
  })
  return { url: http.url, asked }
}
