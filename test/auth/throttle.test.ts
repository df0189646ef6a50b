import { describe, expect, it } from 'vitest'
import { addPerson, addPublicClient, discover, errorOf, logIn, refresh } from '../support/oauth.js'
import { addAccount, requestToken, send, startRegistry } from '../support/registry.js'

describe('however many addresses there are', () => {
  it('they begin no more logins together than the limit says, and tokens are had all the same', async () => {
    const strict = await startRegistry({ overrides: { limits: { starts: { points: 3, seconds: 600 } } } })
    try {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const body = new URLSearchParams({ client_id: 'countersign-cli', scope: 'registry:publish' }).toString()
      const statuses: number[] = []
      for (const [method, path] of [
        ['GET', '/oauth/authorize'],
        ['GET', '/device'],
        ['POST', '/oauth/device'],
        ['POST', '/oauth/device'],
        ['GET', '/oauth/authorize'],
        ['GET', '/device'],
      ] as const) {
        const sent = method === 'POST' ? { body, headers } : {}
        statuses.push((await send(strict.url, method, path, sent)).status)
      }
      expect(statuses).toEqual([400, 200, 200, 429, 429, 429])
      expect(await strict.admin.token()).toBeTypeOf('string')
    } finally {
      await strict.close()
    }
  })

  it('a header that names another address makes none', async () => {
    const strict = await startRegistry({ overrides: { limits: { token: { points: 3, seconds: 600 } } } })
    try {
      const statuses: number[] = []
      for (let i = 0; i < 5; i++) {
        const headers = { 'x-forwarded-for': `192.0.2.${i}`, forwarded: `for=192.0.2.${i}` }
        statuses.push((await send(strict.url, 'GET', '/device', { headers })).status)
      }
      expect(statuses).toEqual([200, 200, 200, 429, 429])
    } finally {
      await strict.close()
    }
  })
})

describe('from however many addresses', () => {
  it('one account gets no more tokens than the limit says, and others do', async () => {
    const accountTokens = { points: 3, seconds: 600 }
    const strict = await startRegistry({ overrides: { authLimits: { accountTokens } } })
    try {
      const other = await addAccount(strict, 'publisher', ['publisher'])
      const replies = []
      for (let i = 0; i < 5; i++)
        replies.push(await requestToken(strict.url, strict.admin.client, 'registry:audit'))
      expect(replies.map(({ status }) => status).filter((status) => status === 200).length).toBeLessThan(4)
      const last = replies.at(-1)!
      expect([last.status, last.body['error']]).toEqual([429, 'temporarily_unavailable'])
      expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await other.token()).toBeTypeOf('string')
    } finally {
      await strict.close()
    }
  })

  it('a refresh token that came too often is not spent', async () => {
    const accountTokens = { points: 2, seconds: 3 }
    const strict = await startRegistry({ overrides: { authLimits: { accountTokens } } })
    try {
      const metadata = await discover(strict.url)
      const client = await addPublicClient(strict, 'program')
      const tokens = await logIn(metadata, client, await addPerson(strict, 'publisher', ['publisher']))
      let newest = tokens.refresh_token!
      const again = async (): Promise<string> => {
        const asked = refresh(metadata, client, newest)
        const given = await asked.catch(() => undefined)
        if (given === undefined) return errorOf(asked)
        newest = given.refresh_token!
        return 'given'
      }
      // On a slow machine the seconds may be over before it came too often.
      await expect.poll(again).toBe('temporarily_unavailable')
      await expect.poll(again).toBe('given')
    } finally {
      await strict.close()
    }
  })
})
