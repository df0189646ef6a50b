import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Signer } from 'countersign/core'
import type { Principal } from '../../src/auth/scopes.js'
import { openNames } from '../../src/publish/names.js'
import { publish } from '../../src/publish/publish.js'
import { reject } from '../../src/review/decide.js'
import { signManifest } from '../support/registry.js'
import { openDesk, PUBLISHER, refusal, type Desk } from '../review/support.js'

let desk: Desk
let author: Principal
let key: Signer
let serial = 0

beforeAll(async () => {
  desk = await openDesk()
  author = await desk.person('author', PUBLISHER)
  await desk.person('reviewer')
  key = await desk.namespace('com.example', 'author')
})
afterAll(async () => {
  expect(await desk.lies()).toEqual([])
  await desk.close()
})

describe('a token of trusted publishing', () => {
  const NAMESPACE = 'com.example'

  /** A trusted publisher, and the principal that its workflow's token makes. */
  async function workflow(server?: string, named: readonly string[] = [server ?? `${NAMESPACE}/*`]) {
    const id = `tp-${++serial}`
    await desk.store.createTrustedPublisher({
      ...{ id, namespace: NAMESPACE, issuer: 'https://ci.example', claims: { sub: 'a' } },
      ...{ account: 'author', by: 'admin', createdAt: 0 },
      ...(server !== undefined && { server }),
    })
    const principal: Principal = { ...author, publishes: { trustedPublishers: [id], servers: named } }
    return { id, principal }
  }
  const push = (by: Principal, server: string) => () =>
    desk.publish(by, key, desk.manifest(server, { version: `1.0.${++serial}` }))

  it('publishes the server it is for, and no other', async () => {
    const { principal } = await workflow('com.example/one')
    await expect(push(principal, 'com.example/one')()).resolves.toMatchObject({ status: 'pending' })
    expect(await refusal(desk, push(principal, 'com.example/two'))).toBe('not-trusted-here')
  })

  it('or every server of its namespace', async () => {
    const { principal } = await workflow()
    await expect(push(principal, 'com.example/any')()).resolves.toMatchObject({ created: true })
    const other = await desk.namespace('com.examples', 'author')
    const foreign = () => desk.publish(principal, other, desk.manifest('com.examples/any'))
    expect(await refusal(desk, foreign)).toBe('not-trusted-here')
  })

  it('ends with its trusted publisher, however long it lasts', async () => {
    const { id, principal } = await workflow()
    await desk.store.deleteTrustedPublisher(id)
    expect(await refusal(desk, push(principal, 'com.example/any'))).toBe('not-trusted-here')
  })

  it('has no more by a row that allows more than the token, nor the other way round', async () => {
    const narrow = await workflow(undefined, ['com.example/one'])
    expect(await refusal(desk, push(narrow.principal, 'com.example/two'))).toBe('not-trusted-here')
    const wide = await workflow('com.example/one', ['com.example/*'])
    expect(await refusal(desk, push(wide.principal, 'com.example/two'))).toBe('not-trusted-here')
    const none = { ...author, publishes: { trustedPublishers: [], servers: ['com.example/*'] } }
    expect(await refusal(desk, push(none, 'com.example/one'))).toBe('not-trusted-here')
  })

  it('is told nothing of a version of another server that stands already', async () => {
    const stands = await desk.publish(author, key, desk.manifest('com.example/stands'))
    const { principal } = await workflow('com.example/one')
    const again = () => desk.publish(principal, key, desk.manifest('com.example/stands'))
    expect(await refusal(desk, again)).toBe('not-trusted-here')
    const own = await desk.publish(author, key, desk.manifest('com.example/stands'))
    expect([own.created, own.manifest]).toEqual([false, stands.manifest])
  })
})

describe('a namespace whose proof lapsed', () => {
  it('publishes nothing until it is back; what is approved stays', async () => {
    const theirs = await desk.namespace('com.lapsed', 'author')
    const first = await desk.publish(author, theirs, desk.manifest('com.lapsed/a'))
    await desk.approve('reviewer', first.manifest)
    const proof = { namespace: 'com.lapsed', kind: 'dns', subject: 'lapsed.com', kid: theirs.kid } as const
    const put = (suspended: boolean) =>
      desk.store.commitBatch((tx) => tx.putProof({ ...proof, checkedAt: 0, suspended }))
    await put(true)
    const next = () => desk.publish(author, theirs, desk.manifest('com.lapsed/a', { version: '1.0.1' }))
    expect(await refusal(desk, next)).toBe('namespace-suspended')
    expect((await desk.verify(first.manifest)).version).toBe('1.0.0')
    await put(false)
    expect((await next()).status).toBe('pending')
  })
})

describe('a key that authorities gave', () => {
  it('publishes nothing before its waiting time is over', async () => {
    const theirs = await desk.namespace('com.waiting', 'author')
    const [, sign] = await desk.store.readKeys('com.waiting')
    const usableAt = Date.now() + 60_000
    await desk.store.commitBatch((tx) => tx.putKey({ ...sign!, usableAt }))
    const envelope = signManifest(desk.manifest('com.waiting/a'), theirs)
    const at = (now: number) => () => publish({ ...desk.context, now: () => now }, author, envelope)
    expect(await refusal(desk, at(usableAt - 1))).toBe('key-waiting')
    expect((await at(usableAt)()).status).toBe('pending')
  })
})

describe('look-alike names', () => {
  const isHeld = async (digest: `sha256:${string}`) => {
    const row = await desk.store.readManifest(digest)
    const findings = JSON.parse(row?.findings ?? '[]') as { rule: string; held: boolean }[]
    return findings.some(({ rule, held }) => rule === 'name-lookalike' && held)
  }

  it.each([
    ['the older namespace first', false],
    ['the younger namespace first', true],
  ])('submitted at the same moment are held against each other, %s', async (_, youngerFirst) => {
    const name = `files${++serial}`
    const honest = `com.acme${serial}-industries`
    const outsider = await desk.person(`outsider${serial}`, PUBLISHER)
    const intruder = await desk.person(`intruder${serial}`, PUBLISHER)
    const older = await desk.namespace(honest, outsider.account)
    const younger = await desk.namespace(honest.replace('-', ''), intruder.account)
    const submit = [
      () => desk.publish(outsider, older, desk.manifest(`${honest}/${name}`)),
      () => desk.publish(intruder, younger, desk.manifest(`${honest.replace('-', '')}/${name}`)),
    ]
    const order = youngerFirst ? submit.toReversed() : submit
    const published = await Promise.all(order.map((act) => act()))
    const [own, squatter] = youngerFirst ? published.toReversed() : published
    expect(await isHeld(squatter!.manifest)).toBe(true)
    expect(await isHeld(own!.manifest)).toBe(false)
    expect(await refusal(desk, () => desk.approve('reviewer', squatter!.manifest))).toBe('finding-held')
    await desk.approve('reviewer', own!.manifest)
  })

  it('twin: names that nobody takes for each other pass together, and so do two of one owner', async () => {
    const theirs = await desk.namespace('com.elsewhere', 'author')
    const published = await Promise.all([
      desk.publish(author, theirs, desk.manifest('com.elsewhere/get_user')),
      desk.publish(author, theirs, desk.manifest('com.elsewhere/get_users')),
      desk.publish(author, key, desk.manifest('com.example/get-user')),
    ])
    expect(await Promise.all(published.map(({ manifest }) => isHeld(manifest)))).toEqual([
      false,
      false,
      false,
    ])
  })

  it('are measured against what is committed before the log waits for it, also for a name that is known', async () => {
    const names = openNames(desk.store)
    const known = 'com.example/known'
    await desk.publish(author, key, desk.manifest(known))
    await names.around(known)
    const theirs = await desk.namespace(`com.later${++serial}`, 'author')
    const { index } = await desk.publish(author, theirs, desk.manifest(`com.later${serial}/a`))
    const around = await names.around(known)
    expect([around.isKnown, around.seen]).toEqual([true, index])
    expect(around.names.map(({ server }) => server)).toContain(`com.later${serial}/a`)
    expect(await desk.store.commitBatch((tx) => tx.readServerNames(around.seen))).toEqual([])
  })

  it('hold a newcomer that was rejected, too, and no server of which a version stands', async () => {
    const honest = `com.grief${++serial}-industries`
    const twin = honest.replace('-', '')
    const elder = await desk.person(`elder${serial}`, PUBLISHER)
    const older = await desk.namespace(honest, elder.account)
    const younger = await desk.namespace(twin, 'author')
    const { manifest: one } = await desk.publish(author, younger, desk.manifest(`${twin}/files`))
    const { manifest: two } = await desk.publish(author, younger, desk.manifest(`${twin}/notes`))
    const after = await desk.last(one)
    await reject(desk.context, 'reviewer', one, { after, reason: 'unclear' })
    await desk.approve('reviewer', two)
    const waits = await desk.publish(author, younger, desk.manifest(`${twin}/notes`, { version: '1.0.1' }))
    // Names that this publication was not measured against: as if all of them came at the same moment.
    const blind = { around: () => Promise.resolve({ isKnown: false, names: [], seen: -1 }) }
    for (const name of ['files', 'notes']) {
      const envelope = signManifest(desk.manifest(`${honest}/${name}`), older)
      await publish({ ...desk.context, names: blind }, elder, envelope)
    }
    expect([await isHeld(one), await isHeld(waits.manifest)]).toEqual([true, false])
    expect(await refusal(desk, () => desk.approve('reviewer', one))).toBe('finding-held')
  })

  it('a name that was held already is not held twice for the same reason', async () => {
    const outsider = await desk.person(`outsider${++serial}`, PUBLISHER)
    const older = await desk.namespace(`com.twice${serial}-name`, outsider.account)
    const younger = await desk.namespace(`com.twice${serial}name`, outsider.account)
    await desk.publish(outsider, older, desk.manifest(`com.twice${serial}-name/tool`))
    const late = await desk.publish(outsider, younger, desk.manifest(`com.twice${serial}name/tool`))
    expect(late.findings.filter(({ rule }) => rule === 'name-lookalike')).toHaveLength(1)
  })
})
