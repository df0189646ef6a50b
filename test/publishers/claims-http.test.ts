import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RequestListener } from 'node:http'
import { hasOpenssl, makeCertificate, openHttps, type TestHttps } from '../support/https.js'
import type { TestDns } from '../support/dns.js'
import { newKey, type TestRegistry } from '../support/registry.js'
import { answer, openDns, openTown, startClaim, type Claim, type Started } from './support.js'

const HOST = 'example.com'
const LOOPBACK = { a: ['127.0.0.1'] }

describe.skipIf(!hasOpenssl)('a claim by a well-known document', () => {
  let dns: TestDns
  let web: TestHttps
  let at: TestRegistry
  let serve: RequestListener
  beforeAll(async () => {
    dns = await openDns()
    const certificate = makeCertificate([HOST, `*.${HOST}`])
    web = await openHttps(certificate, (req, res) => {
      serve(req, res)
    })
    at = await openTown(dns, { outside: { ca: certificate.cert, httpsPort: web.port } })
  })
  afterAll(async () => {
    await at.close()
    await web.close()
    await dns.close()
  })

  let serial = 0
  let claim: Claim
  let started: Started
  beforeEach(async () => {
    const namespace = `com.example.a${++serial}`
    claim = { namespace, proof: 'http', account: 'admin', key: newKey() }
    started = await startClaim(at.admin, claim)
    dns.zone.set(`a${serial}.${HOST}`, LOOPBACK)
  })
  const text = (body: string | Buffer, status = 200): RequestListener => {
    return (req, res) => res.writeHead(req.url === '/.well-known/mcp-registry-auth' ? status : 404).end(body)
  }
  const outcome = async (listener: RequestListener): Promise<unknown> => {
    serve = listener
    const { status, body } = await answer(at.admin, claim, started)
    return status === 201 ? status : body.code
  }

  it.each([0, 1])('holds the same strings as DNS does, one a line (%i)', async (which) => {
    expect(started.records[which]?.at).toBe(`https://a${serial}.${HOST}/.well-known/mcp-registry-auth`)
    expect(await outcome(text(`# ours\n${started.records[which]?.value}\r\n`))).toBe(201)
  })

  it.each<[string, (value: string) => RequestListener, string]>([
    [
      'another key',
      () => text(`v=MCPv1; k=ed25519; p=${Buffer.alloc(32, 7).toString('base64')}`),
      'proof-failed',
    ],
    ['nothing', () => text('', 404), 'proof-failed'],
    ['a refusal with the record in it', (value) => text(value, 403), 'proof-failed'],
    [
      'a redirect',
      () => (_, res) => res.writeHead(302, { location: 'https://elsewhere.example.com/' }).end(),
      'proof-failed',
    ],
    ['too much', (value) => text(`${value}\n${'x'.repeat(5000)}`), 'proof-failed'],
    [
      'no text',
      (value) => text(Buffer.concat([Buffer.from(value), Buffer.from([10, 0xff])])),
      'proof-failed',
    ],
    ['too many lines', (value) => text(`${'\n'.repeat(100)}${value}`), 'proof-failed'],
    ['a failing server', (value) => text(value, 500), 'proof-unreachable'],
    ['a busy server', (value) => text(value, 429), 'proof-unreachable'],
    ['a server that hangs up', () => (req) => req.socket.destroy(), 'proof-unreachable'],
  ])('is not proved by %s', async (_, listener, code) => {
    expect(await outcome(listener(started.records[0]!.value))).toBe(code)
  })

  it('is not proved by the domain above', async () => {
    dns.zone.set(HOST, LOOPBACK)
    const value = started.records[0]!.value
    const hosts: (string | undefined)[] = []
    const listener: RequestListener = (req, res) => {
      hosts.push(req.headers.host)
      res.writeHead(req.headers.host === HOST ? 200 : 404).end(value)
    }
    expect(await outcome(listener)).toBe('proof-failed')
    expect(hosts).toEqual([`a${serial}.${HOST}`])
  })

  it.each([
    ['at a private address', { a: ['10.0.0.1'] }],
    ['at the metadata service', { a: ['169.254.169.254'] }],
    ['at a good and a private address', { a: ['127.0.0.1', '10.0.0.1'] }],
  ])('is never asked for %s', async (_, zone) => {
    dns.zone.set(`a${serial}.${HOST}`, zone)
    let hits = 0
    const listener: RequestListener = (_req, res) => {
      hits += 1
      res.end(started.records[0]!.value)
    }
    expect([await outcome(listener), hits]).toEqual(['proof-failed', 0])
  })
})
