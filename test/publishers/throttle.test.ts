import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  addAccount,
  send,
  startRegistry,
  type Caller,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'

const POINTS = 9

describe('claims, proofs and checks', () => {
  let at: TestRegistry
  let holder: Caller
  let rival: Caller
  let third: Caller
  beforeAll(async () => {
    at = await startRegistry({
      config: { trustProxy: 1 },
      overrides: { limits: { proofs: { points: POINTS, seconds: 600 } } },
    })
    holder = await addAccount(at, 'holder', ['publisher'])
    rival = await addAccount(at, 'rival', ['publisher'])
    third = await addAccount(at, 'third', ['publisher'])
  })
  afterAll(() => at.close())

  const paths = [
    '/v1/namespaces',
    '/v1/namespaces/com.example/proofs',
    '/v1/namespaces/com.example/check',
  ] as const
  /** As if the proxy in front had said where it came from. */
  async function ask(caller: Caller, address: string, n: number): Promise<Reply> {
    const path = paths[n % paths.length] ?? ''
    const body = { namespace: 'com.example', proof: 'dns' }
    const token = await caller.token()
    return send(at.url, 'POST', path, { body, token, headers: { 'x-forwarded-for': address } })
  }

  it('count as one, of an account from wherever it comes', async () => {
    for (let n = 0; n < POINTS; n++) expect((await ask(holder, `192.0.2.${n}`, n)).status).not.toBe(429)
    for (let n = 0; n < paths.length; n++) {
      const refused = await ask(holder, '192.0.2.99', n)
      expect([refused.status, refused.body.code]).toEqual([429, 'rate-limited'])
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    }
  })

  it('and of an address, whoever comes from it', async () => {
    for (let n = 0; n < POINTS; n++) {
      const one = n % 2 === 0 ? rival : third
      expect((await ask(one, '198.51.100.7', n)).status).not.toBe(429)
    }
    expect((await ask(rival, '198.51.100.7', 0)).body.code).toBe('rate-limited')
    expect((await ask(third, '198.51.100.7', 0)).body.code).toBe('rate-limited')
  })

  it('twin: another account from another address goes on, and so does everything else', async () => {
    expect((await ask(rival, '203.0.113.1', 0)).status).toBe(201)
    expect((await holder.get('/v1/namespaces/com.example')).status).toBe(200)
  })
})
