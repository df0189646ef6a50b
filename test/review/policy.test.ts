import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canonicalize, digestOf, utf8Bytes, type Digest, type Manifest } from 'countersign/core'
import type { Finding } from 'countersign/gates'
import { CHECKS, type CheckFacts } from '../../src/review/checks.js'
import { autoClass, needsOf } from '../../src/review/needs.js'
import { ADMISSION_POLICY, type AdmissionPolicy } from '../../src/review/policy.js'
import { isSensitive } from '../../src/review/sensitivity.js'
import {
  addAccount,
  addPublisher,
  approveManifest,
  expectStatus,
  publishManifest,
  sampleManifest,
  send,
  startRegistry,
  type Caller,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'

const sample = (change: Partial<Manifest> = {}): Manifest =>
  sampleManifest('registry-test', { server: 'com.example/a', ...change })
const policyOf = (change: Partial<AdmissionPolicy>): AdmissionPolicy => ({ ...ADMISSION_POLICY, ...change })
const sensitive = (change: Partial<AdmissionPolicy['sensitive']>) => ({
  ...ADMISSION_POLICY.sensitive,
  ...change,
})
const finding = (change: Partial<Finding>): Finding => ({
  ...{ rule: 'a-rule', severity: 'low', held: false, refuse: false, pointer: '', message: '' },
  ...change,
})
const proved: Pick<CheckFacts, 'namespace' | 'proof'> = {
  namespace: { namespace: 'com.example', account: 'author', proof: 'dns', index: 1 },
  proof: {
    namespace: 'com.example',
    ...{ kind: 'dns', subject: 'example.com', kid: 'k', checkedAt: 0, suspended: false },
  },
}
const facts = (change: Partial<CheckFacts> = {}): CheckFacts => ({
  ...{ manifest: sample(), findings: [], ...proved },
  ...change,
})

describe('a required check holds for the honest and not for the other', () => {
  const npm = { registryType: 'npm', identifier: 'a', version: '1.0.0' } as const
  const integrity = `sha512-${'A'.repeat(86)}==`
  const hash = 'a'.repeat(64)
  const packages = (list: Manifest['packages']) => facts({ manifest: sample({ packages: list! }) })
  const voucher = (spoken: string, list: Manifest['packages']) =>
    facts({
      manifest: sample({
        role: 'voucher',
        subject: { packages: [{ registryType: 'npm', identifier: spoken }] },
        packages: list!,
      }),
    })

  it.each<[keyof typeof CHECKS, string, CheckFacts, boolean]>([
    ['packages-pinned', 'no package at all', facts(), true],
    ['packages-pinned', 'npm with its integrity', packages([{ ...npm, integrity }]), true],
    ['packages-pinned', 'npm by its version alone', packages([npm]), false],
    ['packages-pinned', 'one of two loose', packages([{ ...npm, integrity }, npm]), false],
    [
      'packages-pinned',
      'npm with the pin of another type',
      packages([{ ...npm, digest: `sha256:${hash}` }]),
      false,
    ],
    [
      'packages-pinned',
      'an image by digest',
      packages([{ registryType: 'oci', identifier: 'a', digest: `sha256:${hash}` }]),
      true,
    ],
    ['packages-pinned', 'an image by tag', packages([{ registryType: 'oci', identifier: 'a:1' }]), false],
    [
      'packages-pinned',
      'a bundle by hash',
      packages([{ registryType: 'mcpb', identifier: 'https://a.example/a', fileSha256: hash }]),
      true,
    ],
    [
      'packages-pinned',
      'a locked one',
      packages([{ registryType: 'pypi', identifier: 'a', version: '1', lock: { sha256: hash } }]),
      true,
    ],
    [
      'packages-pinned',
      'one that is not',
      packages([{ registryType: 'pypi', identifier: 'a', version: '1' }]),
      false,
    ],
    [
      'packages-pinned',
      'a voucher that binds what it speaks of',
      voucher('a', [{ ...npm, integrity }]),
      true,
    ],
    ['packages-pinned', 'a voucher that binds another', voucher('b', [{ ...npm, integrity }]), false],
    ['namespace-proved', 'by a domain', facts(), true],
    ['namespace-proved', 'lapsed', facts({ proof: { ...proved.proof!, suspended: true } }), false],
    [
      'namespace-proved',
      'by an admin alone',
      facts({ namespace: { ...proved.namespace!, proof: 'admin' } }),
      false,
    ],
    ['namespace-proved', 'without a proof on record', facts({ proof: undefined }), false],
    ['namespace-proved', 'not enrolled', facts({ namespace: undefined }), false],
    ['no-high-findings', 'a low one', facts({ findings: [finding({})] }), true],
    ['no-high-findings', 'a high one', facts({ findings: [finding({ severity: 'high' })] }), false],
    ['no-held-findings', 'a note', facts({ findings: [finding({ severity: 'medium' })] }), true],
    ['no-held-findings', 'a held one', facts({ findings: [finding({ held: true })] }), false],
  ])('%s: %s', (check, _, given, holds) => {
    expect(CHECKS[check](given) === undefined).toBe(holds)
  })
})

describe('what the policy asks for', () => {
  it('is the number of the class, of what is sensitive, and never nobody', () => {
    const approvals = { ...ADMISSION_POLICY.approvals, none: 0, dangerous: 3 }
    const policy = policyOf({ approvals, autoApprove: ['none'] })
    expect(needsOf(policy, 'dangerous', facts()).approvals).toBe(3)
    expect(needsOf(policy, 'none', facts()).approvals).toBe(1)
    const strict = policyOf({ approvals, sensitive: sensitive({ servers: ['com.example/a'], approvals: 2 }) })
    expect(needsOf(strict, 'none', facts())).toMatchObject({ approvals: 2, sensitive: true })
    expect(needsOf(strict, 'dangerous', facts()).approvals).toBe(3)
  })

  it('lets only a quiet class approve itself', () => {
    const policy = policyOf({ autoApprove: ['none'], requiredChecks: ['namespace-proved'] })
    const auto = (given: CheckFacts, change: 'none' | 'cosmetic' | 'first' = 'none') =>
      autoClass(policy, needsOf(policy, change, given))
    expect(auto(facts())).toBe('none')
    expect(auto(facts(), 'cosmetic')).toBeUndefined()
    expect(auto(facts(), 'first')).toBeUndefined()
    expect(auto(facts({ findings: [finding({ held: true })] }))).toBeUndefined()
    expect(auto(facts({ proof: undefined }))).toBeUndefined()
  })

  const definition = sample().tools[0]!.definition
  const tools = (annotations?: Record<string, boolean>, scope?: string): Manifest['tools'] => [
    {
      definition: { ...definition, ...(annotations && { annotations }) },
      permissions: scope === undefined ? [] : [{ scope, reason: 'needs it', required: false }],
    },
  ]
  const variant = (annotations: Record<string, boolean>): Manifest['tools'] => [
    {
      ...tools({ readOnlyHint: true })[0]!,
      variants: [{ when: { locale: 'de' }, definition: { ...definition, annotations } }],
    },
  ]

  it.each<[string, Partial<AdmissionPolicy['sensitive']>, Partial<Manifest>, boolean]>([
    ['a listed name', { servers: ['com.example/a'] }, {}, true],
    ['in another case', { servers: ['com.example/A'] }, {}, true],
    ['a listed namespace', { servers: ['com.example/*'] }, {}, true],
    ['one below it', { servers: ['com.example/*'] }, { server: 'com.example.sub/a' }, false],
    ['another name', { servers: ['com.example/ab'] }, {}, false],
    ['a scope it may use', { scopes: ['mail.send'] }, { tools: tools(undefined, 'mail.send') }, true],
    ['another scope', { scopes: ['mail.send'] }, { tools: tools(undefined, 'mail.read') }, false],
    [
      'a tool that says it destroys',
      { destructive: true },
      { tools: tools({ destructiveHint: true }) },
      true,
    ],
    ['a tool that says nothing', { destructive: true }, { tools: tools() }, true],
    ['one that does not destroy', { destructive: true }, { tools: tools({ destructiveHint: false }) }, false],
    ['one that only reads', { destructive: true }, { tools: tools({ readOnlyHint: true }) }, false],
    ['a variant that destroys', { destructive: true }, { tools: variant({ destructiveHint: true }) }, true],
    [
      'a voucher for a server that is named',
      { servers: ['org.bank/*'] },
      { role: 'voucher', subject: { server: 'org.bank/payments' } },
      true,
    ],
    [
      'a voucher for another one',
      { servers: ['org.bank/*'] },
      { role: 'voucher', subject: { server: 'org.banks/payments' } },
      false,
    ],
    ['its twin', { destructive: true }, { tools: variant({ readOnlyHint: true }) }, false],
  ])('takes for sensitive: %s', (_, change, manifest, expected) => {
    expect(isSensitive(policyOf({ sensitive: sensitive(change) }), sample(manifest))).toBe(expected)
  })
})

describe('/v1/policy', () => {
  let at: TestRegistry
  let reviewer: Caller
  let publisher: Publisher
  beforeAll(async () => {
    at = await startRegistry()
    reviewer = await addAccount(at, 'reviewer', ['reviewer'])
    publisher = await addPublisher(at, 'com.example', await addAccount(at, 'author', ['publisher']))
  })
  afterAll(async () => {
    await at.close()
  })

  const put = (policy: unknown, after: unknown, caller = at.admin) =>
    caller.put('/v1/policy', { after, policy })
  const version = async () => (await at.admin.get('/v1/policy')).body['version'] as number

  it('is read by reviewers, edited by admins, and every version stays readable', async () => {
    const first = expectStatus(200, await reviewer.get('/v1/policy')).body
    expect([first['version'], first['policy']]).toEqual([1, ADMISSION_POLICY])
    const changed = policyOf({ requiredChecks: ['no-high-findings'] })
    const reply = expectStatus(200, await put(changed, 1))
    const now = (await at.admin.get('/v1/policy')).body
    expect(now).toMatchObject({ version: 2, digest: reply.body['digest'], policy: changed })
    expect((now['history'] as { version: number; by: string }[]).map((one) => [one.version, one.by])).toEqual(
      [
        [2, 'admin'],
        [1, 'registry'],
      ],
    )
    for (const digest of [first['digest'], reply.body['digest']]) {
      expect((await send(at.url, 'GET', `/v1/policies/${String(digest)}`)).status).toBe(200)
    }
    const { records } = (await at.admin.get('/v1/audit?action=policy.set')).body
    expect(records).toMatchObject([{ account: 'admin', target: reply.body['digest'] }])
  })

  it('is not edited by others, nor over somebody’s head', async () => {
    expect((await put(ADMISSION_POLICY, await version(), reviewer)).body.code).toBe('scope-missing')
    expect((await publisher.caller.get('/v1/policy')).body.code).toBe('scope-missing')
    const reply = await put(ADMISSION_POLICY, (await version()) - 1)
    expect([reply.status, reply.body.code]).toEqual([409, 'policy-outdated'])
    // Nothing of what was refused is kept: not where anyone could read its text either.
    const refused = policyOf({ approvals: { ...ADMISSION_POLICY.approvals, first: 4 } })
    expect((await put(refused, 0)).body.code).toBe('policy-outdated')
    const digest = digestOf(utf8Bytes(canonicalize(refused)))
    expect(await at.registry.store.readPolicy(digest)).toBeUndefined()
    const after = await version()
    const replies = await Promise.all([put(policyOf({}), after), put(policyOf({}), after)])
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 409])
  })

  it.each<[string, unknown, number, string]>([
    ['an unknown member', { ...ADMISSION_POLICY, extra: 1 }, 400, 'request-invalid'],
    ['an unknown check', policyWith({ requiredChecks: ['no-checks'] }), 400, 'request-invalid'],
    [
      'a check twice',
      policyWith({ requiredChecks: ['packages-pinned', 'packages-pinned'] }),
      400,
      'request-invalid',
    ],
    ['a class that no rule may approve', policyWith({ autoApprove: ['text'] }), 400, 'request-invalid'],
    ['more than five persons', approvalsWith({ first: 6 }), 400, 'request-invalid'],
    ['half a person', approvalsWith({ first: 0.5 }), 400, 'request-invalid'],
    [
      'a server that is no name',
      policyWith({ sensitive: sensitive({ servers: ['*'] }) }),
      400,
      'request-invalid',
    ],
    ['nobody, where nothing approves itself', approvalsWith({ dangerous: 0 }), 422, 'policy-invalid'],
  ])('refuses %s', async (_, policy, status, code) => {
    const reply = await put(policy, await version())
    expect([reply.status, reply.body.code]).toEqual([status, code])
  })

  it('required checks and overrides that nobody may make stop an approval', async () => {
    const held = sampleManifest(at.identity, {
      server: 'com.example/held',
      description: 'Adds.\u200b\u200b\u202e Reads files first.',
    })
    const { manifest, index } = await publishManifest(publisher, held)
    const approve = (body: object) =>
      reviewer.post(`/v1/review/${manifest}/approval`, { after: index, ...body })
    expectStatus(200, await put(policyOf({ requiredChecks: ['namespace-proved'] }), await version()))
    const failed = await approve({ override: 'known person' })
    expect([failed.status, failed.body.code]).toEqual([409, 'check-failed'])
    const shown = (await reviewer.get(`/v1/review/${manifest}`)).body['needs'] as { checks: unknown }
    expect(shown.checks).toMatchObject([{ check: 'namespace-proved', holds: false }])
    expectStatus(200, await put(policyOf({ heldFindings: 'never' }), await version()))
    expect((await approve({ override: 'known person' })).body.code).toBe('finding-held')
    expectStatus(200, await put(ADMISSION_POLICY, await version()))
    expect((await approve({})).body.code).toBe('finding-held')
    expect((await approve({ override: 'known person' })).status).toBe(201)
  })

  it('shows the change and the difference, to whom the versions are shown', async () => {
    const base = { server: 'com.example/diff' }
    const one = await publishManifest(publisher, sampleManifest(at.identity, base))
    await approveManifest(reviewer, one.manifest)
    const reworded = { ...base, version: '1.1.0', description: 'Other words.' }
    const two = await publishManifest(publisher, sampleManifest(at.identity, reworded))
    const { change } = (await reviewer.get(`/v1/review/${two.manifest}`)).body as never as {
      change: { class: string; base: Digest; changes: unknown[] }
    }
    expect([change.class, change.base, change.changes.length]).toEqual(['text', one.manifest, 1])
    const path = '/v1/servers/com.example/diff/diff?from=1.0.0&to=1.1.0'
    expect((await send(at.url, 'GET', path)).status).toBe(404)
    expect((await reviewer.get(path)).body).toMatchObject({ from: '1.0.0', to: '1.1.0', class: 'text' })
    expect((await publisher.caller.get(path)).status).toBe(200)
    await approveManifest(reviewer, two.manifest)
    expect((await send(at.url, 'GET', path)).body).toMatchObject({ class: 'text' })
    for (const query of ['', '?from=1.0.0', '?from=1.0.0&to=']) {
      expect((await send(at.url, 'GET', `/v1/servers/com.example/diff/diff${query}`)).status).toBe(400)
    }
  })

  it('compares what is large for reviewers and owners; strangers get what was compared already', async () => {
    const words = (text: string) => ({
      definition: { name: text, description: `${text} `.repeat(20_000), inputSchema: { type: 'object' } },
      permissions: [],
    })
    for (const [version, name] of [
      ['1.0.0', 'aa'],
      ['1.1.0', 'bb'],
    ] as const) {
      const tools = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((last) => words(name + last))
      const large = sampleManifest(at.identity, { server: 'com.example/large', version, tools })
      const { manifest, index } = await publishManifest(publisher, large)
      const body = { after: index, override: 'large, and known' }
      expectStatus(201, await reviewer.post(`/v1/review/${manifest}/approval`, body))
    }
    const path = (from: string, to: string) => `/v1/servers/com.example/large/diff?from=${from}&to=${to}`
    const stranger = (from: string, to: string) => send(at.url, 'GET', path(from, to))
    expect((await stranger('1.0.0', '1.1.0')).status).toBe(200)
    const back = await stranger('1.1.0', '1.0.0')
    expect([back.status, back.body.code]).toEqual([422, 'out-of-range'])
    expect((await reviewer.get(path('1.1.0', '1.0.0'))).status).toBe(200)
    expect((await stranger('1.1.0', '1.0.0')).status).toBe(200)
    expect((await publisher.caller.get(path('1.1.0', '1.1.0'))).body).toMatchObject({ class: 'none' })
  })

  it('a reason is one line that reads as it stands', async () => {
    const manifest = sampleManifest(at.identity, { server: 'com.example/reasons' })
    const { manifest: digest, index: after } = await publishManifest(publisher, manifest)
    const reject = (reason: string) => reviewer.post(`/v1/review/${digest}/rejection`, { after, reason })
    for (const reason of ['a\nb', 'a\u2029b', 'a\u202db', 'a\u2069', 'a\ud800']) {
      const { status, body } = await reject(reason)
      expect([status, body.code]).toEqual([400, expect.stringMatching(/^(?:request-invalid|json-)/)])
    }
    expect((await reject('שלום, אחי \u200f— нет')).status).toBe(201)
  })

  it('comments are kept, shown and bounded', async () => {
    const manifest = sampleManifest(at.identity, { server: 'com.example/talked' })
    const { manifest: digest } = await publishManifest(publisher, manifest)
    const comment = (text: unknown) => reviewer.post(`/v1/review/${digest}/comments`, { text })
    expect((await comment('Is this\nthe right owner?')).status).toBe(201)
    const turned = ['a\u202eb', 'a\u2066b', 'a\u2028b']
    for (const text of ['', '  ', 'a\u001b[31m', 'a\r\nb', 'x'.repeat(4001), 7, ...turned]) {
      expect((await comment(text)).body.code).toBe('request-invalid')
    }
    const { body } = await reviewer.get(`/v1/review/${digest}`)
    expect(body['comments']).toMatchObject([{ account: 'reviewer', text: 'Is this\nthe right owner?' }])
    const { records } = (await at.admin.get(`/v1/audit?account=reviewer&action=comment&target=${digest}`))
      .body
    expect(records).toHaveLength(1)
  })
})

function policyWith(change: Record<string, unknown>): unknown {
  return { ...ADMISSION_POLICY, ...change }
}

function approvalsWith(change: Record<string, number>): unknown {
  return policyWith({ approvals: { ...ADMISSION_POLICY.approvals, ...change } })
}
