import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openOutside, type OutsideOptions } from '../../src/net/open-outside.js'
import type { OutsideRequest } from '../../src/net/outside.js'
import { openDns, type TestDns, type Zone } from '../support/dns.js'
import { hasOpenssl, makeCertificate, openHttps, type TestHttps } from '../support/https.js'

const LOOPBACK = (address: string): boolean => address === '127.0.0.1'
const HOST = 'www.example.com'
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'

let dns: TestDns
beforeAll(async () => {
  dns = await openDns()
})
afterAll(async () => {
  await dns.close()
})

const outsideOf = (options: OutsideOptions = {}) => openOutside({ dnsServers: [dns.address], ...options })

describe('resolveTxt', () => {
  const ask = async (zone: Zone | undefined): Promise<unknown> => {
    dns.zone.delete('t.example.com')
    if (zone !== undefined) dns.zone.set('t.example.com', zone)
    return outsideOf()
      .resolveTxt('t.example.com')
      .catch((error: unknown) => (error as { code: string }).code)
  }

  it('joins the strings of a record, and keeps records apart', async () => {
    expect(await ask({ txt: [['v=MCPv1; ', 'k=ed25519'], ['other']] })).toEqual([
      'v=MCPv1; k=ed25519',
      'other',
    ])
  })

  it('follows a name that stands for another', async () => {
    dns.zone.set('real.example.net', { txt: [['here']] })
    expect(await ask({ cname: 'real.example.net' })).toEqual(['here'])
  })

  it('goes over to TCP for a long answer', async () => {
    const records = Array.from({ length: 20 }, (_, i) => [`${i} `.padEnd(200, 'x')])
    expect(await ask({ txt: records })).toEqual(records.map(([text]) => text))
  })

  it.each<[string, Zone | undefined, unknown]>([
    ['no such name', undefined, []],
    ['a name without TXT', { a: ['127.0.0.1'] }, []],
    ['a server that fails', { fails: 'servfail' }, 'unreachable'],
    ['too many records', { txt: Array.from({ length: 200 }, (_, i) => [String(i)]) }, 'too-large'],
    ['records that are too long', { txt: [Array.from({ length: 100 }, () => 'x'.repeat(250))] }, 'too-large'],
  ])('says of %s what it is', async (_, zone, expected) => {
    expect(await ask(zone)).toEqual(expected)
  })

  it('does not wait for a server that never answers', async () => {
    expect(await ask({ fails: 'silent' })).toBe('unreachable')
  })

  it('asks for no name that is none', async () => {
    const code = await outsideOf()
      .resolveTxt(`${'a'.repeat(64)}.example.com`)
      .catch((error: unknown) => (error as { code: string }).code)
    expect(['url-invalid', 'unreachable']).toContain(code)
  })
})

describe('request: where to', () => {
  let hits = 0
  let target: Server
  let port: number
  beforeAll(async () => {
    target = createServer((_req, res) => {
      hits += 1
      res.end('secret')
    })
    target.listen(0, '127.0.0.1')
    await once(target, 'listening')
    port = (target.address() as AddressInfo).port
  })
  afterAll(async () => {
    target.close()
    await once(target, 'close')
  })

  const refusal = async (url: string, asked: OutsideRequest = {}, options: OutsideOptions = {}) => {
    const before = hits
    const code = await outsideOf(options)
      .request(url, { timeoutMs: 20_000, ...asked })
      .then(
        () => 'answered',
        (error: unknown) => (error as { code: string }).code,
      )
    expect(code === 'answered' ? before + 1 : before).toBe(hits)
    return code
  }

  it.each([
    ['loopback', '127.0.0.1'],
    ['short loopback', '127.1'],
    ['loopback in one number', '2130706433'],
    ['loopback in hexadecimal', '0x7f000001'],
    ['loopback in octal', '0177.0.0.1'],
    ['IPv6 loopback', '[::1]'],
    ['mapped loopback', '[::ffff:127.0.0.1]'],
    ['loopback behind NAT64', '[64:ff9b::7f00:1]'],
    ['any address', '0.0.0.0'],
    ['private', '10.0.0.1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['link-local', '[fe80::1]'],
    ['the metadata service', '169.254.169.254'],
    ['the metadata service in IPv6', '[fd00:ec2::254]'],
  ])('%s is address-refused', async (_, host) => {
    expect(await refusal(`https://${host}:${port}/`)).toBe('address-refused')
  })

  it.each<[string, Zone, string]>([
    ['a name of loopback', { a: ['127.0.0.1'] }, 'address-refused'],
    ['a name of loopback in IPv6 alone', { aaaa: ['::1'] }, 'address-refused'],
    ['one private address among public ones', { a: ['93.184.216.34', '10.0.0.1'] }, 'address-refused'],
    ['a public IPv4 and a private IPv6', { a: ['93.184.216.34'], aaaa: ['fd00::1'] }, 'address-refused'],
    ['a name for the metadata service', { cname: 'meta.example.net' }, 'address-refused'],
    ['no address', {}, 'unreachable'],
    ['a server that fails', { fails: 'servfail' }, 'unreachable'],
  ])('%s is refused', async (_, zone, code) => {
    dns.zone.set('meta.example.net', { a: ['169.254.169.254'] })
    dns.zone.set(HOST, zone)
    expect(await refusal(`https://${HOST}:${port}/`)).toBe(code)
  })

  it.each([
    ['http', `http://${HOST}/`],
    ['another protocol', 'file:///etc/passwd'],
    ['data', 'data:text/plain,hello'],
    ['credentials', `https://user:word@${HOST}/`],
    ['a port of mail', `https://${HOST}:25/`],
    ['a port of ssh', `https://${HOST}:22/`],
    ['no URL', 'https://'],
    ['nothing', ''],
  ])('%s is url-invalid', async (_, url) => {
    dns.zone.set(HOST, { a: ['93.184.216.34'] })
    expect(await refusal(url)).toBe('url-invalid')
  })

  it('an admin may point into a private network, but not at the metadata service', async () => {
    expect(await refusal('https://169.254.169.254/', { trusted: true })).toBe('address-refused')
    expect(await refusal('https://0.0.0.0/', { trusted: true })).toBe('address-refused')
  })

  it('twin: http goes to loopback where an admin points, or where it is allowed', async () => {
    expect(await refusal(`http://127.0.0.1:${port}/`, { trusted: true })).toBe('answered')
    expect(await refusal(`http://localhost:${port}/`, { trusted: true })).toBe('answered')
    expect(await refusal(`http://127.0.0.1:${port}/`, {}, { allow: LOOPBACK })).toBe('answered')
    expect(await refusal(`http://127.0.0.1:${port}/`)).toBe('address-refused')
  })

  it('a name that turns to loopback after it was looked up is asked once, and connected to as it was', async () => {
    dns.zone.set(HOST, { turns: [['127.0.0.2']], a: ['127.0.0.1'] })
    const allow = (address: string): boolean => address.startsWith('127.')
    // Nobody listens on the second loopback address: what was checked is what is connected to.
    expect(await refusal(`http://${HOST}:${port}/`, {}, { allow })).toBe('unreachable')
    expect(await refusal(`http://${HOST}:${port}/`, {}, { allow })).toBe('answered')
  })

  it('a name that turns between two addresses is never followed to the refused one', async () => {
    dns.zone.set(HOST, { turns: [['127.0.0.1']], a: ['127.0.0.2'] })
    expect(await refusal(`http://${HOST}:${port}/`, {}, { allow: LOOPBACK })).toBe('answered')
    expect(await refusal(`http://${HOST}:${port}/`, {}, { allow: LOOPBACK })).toBe('address-refused')
  })
})

describe.skipIf(!hasOpenssl)('request: the answer', () => {
  let web: TestHttps
  let ca: string
  const seen: string[] = []
  beforeAll(async () => {
    const certificate = makeCertificate([HOST])
    ca = certificate.cert
    dns.zone.set('other.example.com', { a: ['127.0.0.1'] })
    web = await openHttps(certificate, (req, res) => {
      seen.push(`${req.method} ${req.headers.host} ${req.url}`)
      if (req.url === '/moved') res.writeHead(302, { location: '/hello' }).end()
      else if (req.url === '/slow') res.write('a')
      else if (req.url === '/huge') res.end('x'.repeat(100_000))
      else if (req.url === '/endless') drip(() => res.write('x'.repeat(4096)))
      else if (req.url === '/echo') req.pipe(res)
      else if (req.url === '/silent') return
      else if (req.url === '/upgrade') req.socket.write(SWITCHING)
      else if (req.url === '/hints') hint(() => req.socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'))
      else if (req.url === '/lies') req.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab')
      else if (req.url === '/nothing') req.socket.end()
      else res.setHeader('X-Two', ['a', 'b']).end('hello')
    })
  })
  afterAll(async () => {
    await web.close()
  })

  /** Every now and then, for as long as anybody listens. */
  function hint(write: () => boolean): void {
    if (write()) setTimeout(() => hint(write), 50).unref()
  }

  /** Writes until nobody takes it any more, a bounded number of times. */
  function drip(write: () => boolean): void {
    for (let i = 0; i < 64; i++) write()
  }

  const ask = (path: string, asked: OutsideRequest = {}, host = HOST) => {
    dns.zone.set(HOST, { a: ['127.0.0.1'] })
    return outsideOf({ allow: LOOPBACK, httpsPort: web.port, ca })
      .request(`https://${host}${path}`, { timeoutMs: 20_000, ...asked })
      .catch((error: unknown) => (error as { code: string }).code)
  }

  it('comes as it is: status, headers, bytes', async () => {
    const answer = await ask('/hello')
    expect(answer).toMatchObject({ status: 200, headers: { 'x-two': 'a, b' } })
    expect(typeof answer === 'string' ? '' : Buffer.from(answer.body).toString()).toBe('hello')
    expect(seen.at(-1)).toBe(`GET ${HOST} /hello`)
  })

  it('to a body that is sent', async () => {
    const answer = await ask('/echo', {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'Content-Type': 'application/json' },
    })
    expect(typeof answer === 'string' ? '' : Buffer.from(answer.body).toString()).toBe('{"a":1}')
  })

  it('is a redirect, and not followed', async () => {
    const before = seen.length
    expect(await ask('/moved')).toMatchObject({ status: 302 })
    expect(seen.length).toBe(before + 1)
  })

  it.each([
    ['a huge body', '/huge', 'too-large'],
    ['a body without an end', '/endless', 'too-large'],
    ['another protocol in place of an answer', '/upgrade', 'unreachable'],
    ['a body shorter than it says', '/lies', 'unreachable'],
    ['a connection that ends at once', '/nothing', 'unreachable'],
  ])('%s is cut off', async (_, path, code) => {
    expect(await ask(path)).toBe(code)
  })

  it.each([
    ['a body that stops half-way', '/slow'],
    ['no answer', '/silent'],
    ['hints without an answer', '/hints'],
  ])('%s is cut off when its time is over', async (_, path) => {
    expect(await ask(path, { timeoutMs: 700 })).toBe('unreachable')
  })

  it('of somebody whose certificate is for another name, or from nobody we know, is none', async () => {
    expect(await ask('/hello', {}, 'other.example.com')).toBe('unreachable')
    const unknown = await outsideOf({ allow: LOOPBACK, httpsPort: web.port })
      .request(`https://${HOST}/hello`)
      .catch((error: unknown) => (error as { code: string }).code)
    expect(unknown).toBe('unreachable')
  })
})
