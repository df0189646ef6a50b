import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startConfigured, type ConfiguredRegistry } from '../support/issuer-registry.js'
import { ALL_SCOPES, send } from '../support/registry.js'

// Tokens bound to a key, from the registry's own authorization server, over the wire.

let at: ConfiguredRegistry
let as: oauth.AuthorizationServer
// eslint-disable-next-line @typescript-eslint/no-deprecated -- struck through because it is for loopback only
const insecure = { [oauth.allowInsecureRequests]: true }

beforeAll(async () => {
  at = await startConfigured({ dpop: 'admin' })
  const issuer = new URL(at.url)
  const discovery = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  as = await oauth.processDiscoveryResponse(issuer, discovery)
})
afterAll(async () => {
  await at.close()
})

async function boundToken(scope: string): Promise<{ token: string; DPoP: oauth.DPoPHandle }> {
  const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))
  const { clientId, clientSecret } = at.admin.client
  const client = { client_id: clientId }
  const auth = oauth.ClientSecretBasic(clientSecret)
  const options = { DPoP, ...insecure }
  const response = await oauth.clientCredentialsGrantRequest(as, client, auth, { scope }, options)
  const result = await oauth.processClientCredentialsResponse(as, client, response)
  expect(result.token_type).toBe('dpop')
  return { token: result.access_token, DPoP }
}

/** What the library would send, so that it can be sent again. */
async function readProof(token: string, DPoP: oauth.DPoPHandle, path: string): Promise<string> {
  let proof = ''
  await oauth.protectedResourceRequest(token, 'GET', new URL(at.url + path), undefined, undefined, {
    DPoP,
    ...insecure,
    [oauth.customFetch]: (_url, { headers }) => {
      proof = new Headers(headers).get('dpop') ?? ''
      return Promise.resolve(new Response())
    },
  })
  return proof
}

const sendProof = (token: string, proof: string, path = '/v1/audit') =>
  send(at.url, 'GET', path, { headers: { authorization: `DPoP ${token}`, dpop: proof } })

describe('where administering takes a bound token', () => {
  it('one that is not bound is refused, whatever it is sent to', async () => {
    const reply = await at.admin.get('/v1/audit')
    expect([reply.status, reply.body.code]).toEqual([401, 'dpop-required'])
    expect(reply.headers.get('www-authenticate')).toMatch(/^DPoP .*algs="ES256 Ed25519 EdDSA"/)
    const token = await at.admin.token('registry:audit')
    expect((await send(at.url, 'GET', '/v1/audit', { token })).status).toBe(200)
  })

  it('one that is bound administers, with a query as well', async () => {
    const { token, DPoP } = await boundToken(ALL_SCOPES)
    for (const path of ['/v1/admin/trusted-publishers', '/v1/admin/trusted-publishers?limit=5']) {
      const url = new URL(at.url + path)
      const options = { DPoP, ...insecure }
      const reply = await oauth.protectedResourceRequest(token, 'GET', url, undefined, undefined, options)
      expect(reply.status).toBe(200)
    }
  })
})

describe('a proof', () => {
  it('is good for one request', async () => {
    const { token, DPoP } = await boundToken('registry:audit')
    const proof = await readProof(token, DPoP, '/v1/audit')
    expect((await sendProof(token, proof)).status).toBe(200)
    const again = await sendProof(token, proof)
    expect([again.status, again.body.code]).toEqual([401, 'dpop-invalid'])
    expect(again.headers.get('www-authenticate')).toContain('error="invalid_dpop_proof"')
  })

  it('is good for its URL and its token', async () => {
    const { token, DPoP } = await boundToken('registry:audit')
    const other = await boundToken('registry:audit')
    const proof = await readProof(token, DPoP, '/v1/audit')
    expect((await sendProof(token, proof, '/v1/account')).body.code).toBe('dpop-invalid')
    expect((await sendProof(other.token, proof)).body.code).toBe('dpop-invalid')
    expect((await send(at.url, 'GET', '/v1/audit', { token })).body.code).toBe('dpop-invalid')
    expect((await sendProof(token, proof)).status).toBe(200)
  })

  it('for nothing is none, where the request names no URL of the registry', async () => {
    const { token, DPoP } = await boundToken('registry:audit')
    const good = await readProof(token, DPoP, '/v1/audit')
    // A request may name its target whole, as proxies are asked.
    const ask = async (path: string, proof: string): Promise<number | undefined> => {
      const { hostname, port } = new URL(at.url)
      const headers = { authorization: `DPoP ${token}`, dpop: proof }
      const sent = request({ hostname, port, path, headers }).end()
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      response.resume()
      return response.statusCode
    }
    expect(await ask('http://elsewhere.example/v1/audit', good)).toBe(401)
    expect(await ask('/v1/audit', good)).toBe(200)
  })

  it('comes in one header', async () => {
    const { token, DPoP } = await boundToken('registry:audit')
    const proofs = [await readProof(token, DPoP, '/v1/audit'), await readProof(token, DPoP, '/v1/audit')]
    const headers = { authorization: `DPoP ${token}`, dpop: proofs }
    const [response] = (await once(request(`${at.url}/v1/audit`, { headers }).end(), 'response')) as [
      IncomingMessage,
    ]
    response.resume()
    expect(response.statusCode).toBe(401)
    expect((await sendProof(token, proofs[0]!)).status).toBe(200)
  })
})
