import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { formatManifest, manifestDigest } from 'countersign/core'
import { openSeat, type Seat } from '../support/cli-inside.js'
import { newKey, sampleManifest, signManifest } from '../support/registry.js'

// A28 for everything that a registry answers: names, comments, reasons, changes, claims, policies.

// What a terminal obeys, or shows as something else than it is. Line feeds are ours.
const OBEYED =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/u
const EVIL =
  'a\u001b[2J\u009b31m\u202Eb\u202C\u2066c\u2069\u{E0041}\u200Bd\u0007\u0000\r\u2028\ud800\nerror fake'

const manifest = sampleManifest('registry-test', { server: 'com.example/weather' })
const digest = manifestDigest(formatManifest(manifest))
const envelope = signManifest(manifest, newKey())

let server: Server
let seat: Seat
/** What the next requests are answered with. */
let answer: (method: string, path: string) => unknown
beforeAll(async () => {
  server = createServer((req, res) => {
    const text = JSON.stringify(answer(req.method ?? '', req.url ?? '') ?? {})
    // Lone surrogates are no JSON text for a strict reader: as it is, and the rest again without them.
    res.writeHead(200, { 'content-type': 'application/json' }).end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  seat = openSeat({ registry })
  const token = { value: 't', type: 'Bearer', expiresAt: Date.now() + 3_600_000, scope: '' }
  const login = { kind: 'secret', clientId: 'c', clientSecret: 's', token }
  writeFileSync(join(seat.home, 'credentials.json'), JSON.stringify({ [registry]: login }), { mode: 0o600 })
})
afterAll(() => {
  server.close()
  seat.close()
})
beforeEach(() => {
  answer = () => ({})
})

const evil = EVIL.replace('\ud800', '')
const row = new Proxy<Record<string, unknown>>({}, { get: () => evil })
const every = (...names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(names.map((name) => [name, row[name]]))

const account = {
  ...every('account', 'login', 'kind', 'owner', 'createdAt', 'clientId'),
  ...{ roles: [evil], scopes: [evil], namespaces: [evil], external: every('issuer', 'sub') },
  publishes: { servers: [evil], trustedPublishers: [evil] },
}
const trusted = { ...every('id', 'namespace', 'server', 'issuer', 'account'), claims: { [evil]: evil } }
const webhook = { ...every('id', 'url', 'namespace'), events: [evil], failures: 3 }
const client = { ...every('client_id', 'client_secret', 'name', 'account', 'auth'), scopes: [evil] }
const record = { ...every('account', 'action', 'target', 'detail'), at: 1, index: 2 }
const finding = { ...every('rule', 'pointer', 'message', 'shown', 'severity'), held: true }
const review = {
  ...every('server', 'version', 'role', 'account', 'status', 'class'),
  ...{ manifest: digest, envelope, index: 3, last: 4, findings: [finding] },
  change: { class: evil },
  needs: {
    ...every('approvals', 'class'),
    checks: [evil, { check: evil, holds: false }],
    signatures: every('given', 'needed'),
  },
  votes: [every('account', 'at', 'override', 'comment', 'reason')],
  comments: [every('account', 'at', 'text')],
}
const namespace = {
  ...every('account', 'namespace'),
  ...{ last: 7, keys: [{ kid: evil, roles: [evil], added: { [evil]: 1 }, usableAt: evil }] },
  proof: { ...every('kind', 'subject', 'checkedAt', 'failingSince'), suspended: true },
  ...every('look', 'why'),
}
const code = every('code', 'url', 'expires')
const policy = {
  version: 1,
  digest: evil,
  policy: { [evil]: evil },
  history: [every('version', 'digest', 'by', 'at')],
}

describe('nothing that a registry answers reaches the terminal raw', () => {
  it.each<[string, readonly string[], unknown]>([
    ['who one is', ['whoami'], account],
    ['accounts', ['admin', 'accounts', 'list'], { accounts: [account] }],
    ['an account', ['admin', 'accounts', 'show', 'x'], account],
    ['an account that is disabled', ['admin', 'accounts', 'disable', 'x', '--yes'], account],
    ['an invitation', ['admin', 'accounts', 'invite', 'publisher'], code],
    ['a recovery', ['admin', 'accounts', 'recover', 'x', '--yes'], { ...account, ...code }],
    ['clients', ['admin', 'client', 'list'], { clients: [client] }],
    ['a new client', ['admin', 'client', 'create', 'x', '--role', 'publisher'], client],
    ['trusted publishers', ['admin', 'trusted-publishers', 'list'], { trustedPublishers: [trusted] }],
    ['webhooks', ['admin', 'webhooks', 'list'], { webhooks: [webhook] }],
    ['a webhook’s key', ['admin', 'webhooks', 'key'], { publicKey: evil }],
    ['a webhook’s test', ['admin', 'webhooks', 'test', 'x'], { delivered: false, status: evil }],
    ['the audit', ['admin', 'audit'], { records: [record] }],
    ['the queue', ['admin', 'pending'], { items: [review] }],
    ['a review', ['admin', 'show', digest], review],
    ['a rejection', ['admin', 'reject', digest, '--reason', 'x'], review],
    ['a namespace', ['namespace', 'show', 'com.example'], namespace],
    ['a namespace that was looked at', ['namespace', 'check', 'com.example'], namespace],
    ['keys', ['key', 'list', 'com.example'], namespace],
    ['a policy', ['admin', 'policy', 'show'], policy],
  ])('%s', async (_what, args, body) => {
    answer = () => body
    for (const more of [[], ['--json']]) {
      const { stdout, stderr } = await seat.run(...args, ...more)
      expect(stdout + stderr).not.toMatch(OBEYED)
      expect(stdout + stderr).not.toMatch(/^error fake/m)
      expect(stdout + stderr).toMatch(/u\{001B\}|u001b|registry-error/)
    }
  })

  it('nor an answer that is no JSON by the book', async () => {
    answer = () => ({ ...account, login: EVIL })
    const { stdout, stderr, code: exit } = await seat.run('whoami')
    expect(exit).toBe(1)
    expect(stdout + stderr).not.toMatch(OBEYED)
  })
})

describe('what a registry answers is not believed', () => {
  it.each<[string, readonly string[], unknown]>([
    ['lists that are none', ['admin', 'accounts', 'list'], { accounts: 'all' }],
    ['lists without end', ['admin', 'accounts', 'list'], { accounts: [], cursor: 'again' }],
    ['another manifest', ['admin', 'show', `sha256:${'0'.repeat(64)}`], review],
    ['an approval of nothing', ['admin', 'approve', digest], { ...review, last: undefined }],
    ['a policy that is none', ['admin', 'policy', 'show'], { version: 1, policy: 'all' }],
    ['nobody', ['whoami'], {}],
  ])('%s', async (_what, args, body) => {
    answer = () => body
    const failure = await seat.fails(...args)
    expect([failure.exit, failure.code]).toEqual([1, 'registry-error'])
  })
})
