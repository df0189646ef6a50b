import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose'
import {
  encodeKeyX,
  formatEvent,
  signNamespaceEvent,
  signNamespaceProof,
  type NamespaceEvent,
  type Signer,
} from 'countersign/core'
import type { Config } from '../../src/config.js'
import type { NamespaceIssuer } from '../../src/publishers/proofs/issuers.js'
import type { Overrides } from '../../src/registry.js'
import { openDns, type TestDns } from '../support/dns.js'
import { newKey, startRegistry, type Caller, type Reply, type TestRegistry } from '../support/registry.js'

/** A clock that goes when it is told to. */
export interface Clock {
  now: number
}

export interface TownOptions {
  readonly config?: Partial<Config>
  readonly clock?: Clock
  readonly issuers?: readonly NamespaceIssuer[]
  readonly outside?: Overrides['outside']
}

/** A registry that asks this name server and nobody else, and may speak to loopback. */
export function openTown(dns: TestDns, options: TownOptions = {}): Promise<TestRegistry> {
  const { config, clock, issuers, outside } = options
  return startRegistry({
    config: { dnsServers: [dns.address], ...config },
    overrides: {
      outside: { allow: (address) => address === '127.0.0.1', ...outside },
      ...(clock === undefined ? {} : { now: () => clock.now }),
      ...(issuers === undefined ? {} : { namespaceIssuers: issuers }),
    },
  })
}

export interface Claim {
  readonly namespace: string
  readonly proof: 'dns' | 'http' | 'oidc'
  readonly account: string
  readonly key: Signer
}

export interface Started {
  readonly challenge: string
  readonly audience: string
  readonly expires: string
  readonly records: readonly { readonly type: string; readonly at: string; readonly value: string }[]
}

export async function startClaim(
  caller: Caller,
  { namespace, proof, key }: Omit<Claim, 'account'>,
): Promise<Started> {
  const reply = await caller.post('/v1/namespaces', { namespace, proof, x: encodeKeyX(key.publicKey) })
  if (reply.status !== 201) throw new Error(`no challenge: ${reply.status} ${JSON.stringify(reply.body)}`)
  return reply.body as unknown as Started
}

/** Puts what was asked for where it was asked for: the record of this position. */
export function putRecord(dns: TestDns, { records }: Started, which = 0): void {
  const { at, value } = records[which]!
  dns.zone.set(at, { txt: [['v=spf1 -all'], [value]] })
}

/** What the answer says; members may be replaced, to lie. */
export interface Answering {
  readonly event?: NamespaceEvent
  readonly signature?: string
  readonly token?: string
}

export function answer(
  caller: Caller,
  claim: Claim,
  { challenge, audience }: Started,
  change: Answering = {},
): Promise<Reply> {
  const { namespace, account, proof, key } = claim
  const event = change.event ?? signNamespaceEvent({ namespace, proof, account }, audience, key)
  const signature = change.signature ?? signNamespaceProof({ namespace, account, audience, challenge }, key)
  return caller.post(`/v1/namespaces/${namespace}/proofs`, {
    challenge,
    event: formatEvent(event),
    ...(proof === 'oidc' ? {} : { signature }),
    ...(change.token === undefined ? {} : { token: change.token }),
  })
}

/** The whole claim by DNS with our own record; what the registry says in the end. */
export async function claimByDns(
  dns: TestDns,
  caller: Caller,
  namespace: string,
  key: Signer = newKey(),
): Promise<{ reply: Reply; claim: Claim; started: Started }> {
  const claim: Claim = { namespace, proof: 'dns', account: caller.client.account, key }
  const started = await startClaim(caller, claim)
  putRecord(dns, started)
  return { reply: await answer(caller, claim, started), claim, started }
}

/** An identity provider on loopback: discovery, keys, and tokens of any claims. */
export interface TestIssuer {
  readonly url: string
  sign(claims: JWTPayload, change?: { readonly key?: CryptoKey; readonly alg?: string }): Promise<string>
  close(): Promise<void>
}

export async function openIssuer(): Promise<TestIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' }
  const server: Server = createServer((req, res) => {
    const json = (body: unknown): void => {
      res.setHeader('Content-Type', 'application/json').end(JSON.stringify(body))
    }
    if (req.url === '/.well-known/openid-configuration') json({ issuer: url, jwks_uri: `${url}/jwks` })
    else if (req.url === '/jwks') json({ keys: [jwk] })
    else res.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    async sign(claims, { key = privateKey, alg = 'ES256' } = {}) {
      const seconds = Math.floor(Date.now() / 1000)
      const all = { iss: url, sub: 'job', iat: seconds, exp: seconds + 300, ...claims }
      return new SignJWT(all).setProtectedHeader({ alg, kid: 'one' }).sign(key)
    },
    async close() {
      server.close()
      await once(server, 'close')
    },
  }
}

export { openDns }

/** People of a trust root, and the file that names them for a registry that has not started yet. */
export interface People {
  readonly authorities: readonly Signer[]
  readonly file: string
}

/** Three authorities of whom two must sign. */
export function writeAuthorities(folder: string): People {
  const authorities = [newKey(), newKey(), newKey()]
  const keys = authorities.map(({ publicKey }) => encodeKeyX(publicKey))
  const file = join(folder, 'root.json')
  writeFileSync(file, JSON.stringify({ authorities: { keys, threshold: 2 } }))
  return { authorities, file }
}
