import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { importJWK, SignJWT, type JWK, type JWTPayload } from 'jose'

/**
 * What stands behind a CI system's jobs, in a process of its own: discovery, a key set, and `POST /token` that signs
 * the claims it is sent as such systems do. `GET /asked` says which paths were asked for since the start.
 */
interface Settings {
  readonly key: JWK
  readonly alg: string
}

const { key, alg } = JSON.parse(process.argv[2] ?? '') as Settings
const privateKey = await importJWK(key, alg)
const SECRET = ['d', 'p', 'q', 'dp', 'dq', 'qi']
const publicKey = Object.fromEntries(Object.entries(key).filter(([name]) => !SECRET.includes(name)))

const asked: string[] = []
const server = createServer((req, res) => {
  const path = req.url ?? ''
  if (path !== '/asked' && path !== '/token') asked.push(path)
  const answer = (status: number, body: unknown): void => {
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  if (path === '/asked') answer(200, asked)
  else if (path === '/.well-known/openid-configuration') answer(200, { issuer, jwks_uri: `${issuer}/jwks` })
  else if (path === '/jwks') answer(200, { keys: [publicKey] })
  else if (path === '/token' && req.method === 'POST') {
    void json(req).then(async (claims) => answer(200, { value: await sign(claims as JWTPayload) }))
  } else answer(404, {})
})
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function sign(claims: JWTPayload): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const header = { alg, typ: 'JWT', ...(key.kid === undefined ? {} : { kid: key.kid }) }
  const usual = { iss: issuer, jti: crypto.randomUUID(), iat: now, nbf: now - 5, exp: now + 300 }
  // What is sent as null is left out.
  const all = Object.entries<unknown>({ ...usual, ...claims }).filter(([, value]) => value !== null)
  return new SignJWT(Object.fromEntries(all)).setProtectedHeader(header).sign(privateKey)
}

process.stdout.write(`${issuer}\n`)
process.once('SIGTERM', () => process.exit(0))
