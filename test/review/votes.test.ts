import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ApproveEvent, Digest, Signer } from 'countersign/core'
import type { Principal } from '../../src/auth/scopes.js'
import { approve } from '../../src/review/approve.js'
import { comment } from '../../src/review/comments.js'
import { reject, withdraw } from '../../src/review/decide.js'
import { readReview } from '../../src/review/queue.js'
import { revoke } from '../../src/review/revoke.js'
import { indexOf, openDesk, PUBLISHER, refusal, REVIEWER, tallyOf, verdictOf, type Desk } from './support.js'

let desk: Desk
let alice: Principal
let key: Signer
let serial = 0
let waiting: { manifest: Digest; index: number }

const TWO = { first: 2, none: 2, cosmetic: 2, narrowed: 2, text: 2, widened: 2, dangerous: 2 }

beforeAll(async () => {
  desk = await openDesk()
  alice = await desk.person('alice', PUBLISHER)
  key = await desk.namespace('com.example', 'alice')
  for (const name of ['rita', 'rob', 'rosa']) await desk.person(name)
  await desk.person('rob-bot', REVIEWER, 'rob')
  await desk.policy({ approvals: TWO })
})
afterAll(async () => {
  expect(await desk.lies()).toEqual([])
  await desk.close()
})
beforeEach(async () => {
  waiting = await desk.publish(alice, key, desk.manifest(`com.example/server${++serial}`))
})

const vote = (account: string, change = {}) => desk.approve(account, waiting.manifest, change)

describe('where the policy asks for two', () => {
  it('one vote is kept and logs nothing; the second logs both, sorted', async () => {
    const before = desk.fixture.ledger.publishedSize()
    expect(tallyOf(await vote('rob', { comment: 'fine' }))).toMatchObject({ votes: 1, needed: 2 })
    expect(desk.fixture.ledger.publishedSize()).toBe(before)
    const { votes, needs } = await readReview(desk.context, waiting.manifest)
    expect(votes).toMatchObject([{ account: 'rob', comment: 'fine' }])
    expect([needs.approvals, needs.class]).toEqual([2, 'first'])
    const event = (await desk.event(indexOf(await vote('rita')))) as ApproveEvent
    expect([event.t, event.deciders, event.sole]).toEqual(['approve', ['rita', 'rob'], undefined])
    expect(await verdictOf(desk, waiting.manifest)).toBe('verified')
  })

  it('two votes of one account are one', async () => {
    await vote('rita')
    expect(tallyOf(await vote('rita'))).toMatchObject({ votes: 1, needed: 2 })
  })

  it('a person and their service account are one person', async () => {
    await vote('rob')
    expect(await refusal(desk, () => vote('rob-bot'))).toBe('decider-not-allowed')
    expect(tallyOf(await vote('rob'))).toMatchObject({ votes: 1 })
  })

  it('also where both vote at the same moment', async () => {
    const outcomes = await Promise.allSettled([vote('rob'), vote('rob-bot')])
    expect(outcomes.some((one) => one.status === 'fulfilled' && 'index' in one.value)).toBe(false)
    expect(await desk.status(waiting.manifest)).toBe('pending')
    expect(indexOf(await vote('rita'))).toBeGreaterThan(0)
  })

  it('a vote for what is not the latest event any more counts for nothing', async () => {
    const after = await desk.last(waiting.manifest)
    await vote('rita')
    const { index } = await reject(desk.context, 'rosa', waiting.manifest, { after, reason: 'unclear' })
    expect(await refusal(desk, () => vote('rob', { after }))).toBe('after-outdated')
    expect(tallyOf(await vote('rob', { after: index }))).toMatchObject({ votes: 1 })
    expect(indexOf(await vote('rita', { after: index }))).toBeGreaterThan(index)
  })

  it('a comment is no event: it voids no vote', async () => {
    await vote('rita')
    await comment(desk.context, 'rosa', waiting.manifest, 'looks good\nto me')
    expect((await readReview(desk.context, waiting.manifest)).comments).toMatchObject([
      { account: 'rosa', text: 'looks good\nto me' },
    ])
    expect(indexOf(await vote('rob'))).toBeGreaterThan(waiting.index)
  })

  it.each([
    ['disabled', { disabled: true }],
    ['demoted', { roles: ['auditor'] as const }],
  ])('a voter who was %s before the quorum does not count', async (_, change) => {
    const name = `gone${serial}`
    await desk.person(name)
    await vote(name)
    await desk.store.updateAccount(name, change)
    expect(tallyOf(await vote('rita'))).toMatchObject({ votes: 1, needed: 2 })
    const event = (await desk.event(indexOf(await vote('rob')))) as ApproveEvent
    expect(event.deciders).toEqual(['rita', 'rob'])
  })

  it('a voter who was given the namespace meanwhile does not count', async () => {
    const namespace = `com.sold${serial}`
    const theirs = await desk.namespace(namespace, 'alice')
    const sold = await desk.publish(alice, theirs, desk.manifest(`${namespace}/a`))
    await desk.approve('rosa', sold.manifest)
    await desk.store.grantNamespace(namespace, 'rosa', 'admin')
    expect(tallyOf(await desk.approve('rita', sold.manifest))).toMatchObject({ votes: 1 })
    expect(await refusal(desk, () => desk.approve('rosa', sold.manifest))).toBe('own-work')
  })

  it('two last votes at the same moment log one event, and both are told where', async () => {
    const outcomes = await Promise.all([vote('rita'), vote('rob')])
    const [one, two] = outcomes.map(indexOf)
    expect(one).toBe(two)
    const about = (await desk.entries()).filter(
      (event) => event.t === 'approve' && event.manifest === waiting.manifest,
    )
    expect(about).toMatchObject([{ deciders: ['rita', 'rob'] }])
  })

  it('of three at the same moment two decide, and the log has one event', async () => {
    const outcomes = await Promise.allSettled(['rita', 'rob', 'rosa'].map((name) => vote(name)))
    const done = outcomes.filter((one) => one.status === 'fulfilled' && 'index' in one.value)
    expect(done.length).toBeGreaterThanOrEqual(2)
    const about = (await desk.entries()).filter(
      (event) => event.t === 'approve' && event.manifest === waiting.manifest,
    )
    expect(about).toHaveLength(1)
  })

  it('a policy edited between the votes is the one the event names, and its number counts', async () => {
    await vote('rita')
    const stricter = await desk.policy({ approvals: { ...TWO, first: 3 } })
    expect(tallyOf(await vote('rob'))).toMatchObject({ votes: 2, needed: 3 })
    const eased = await desk.policy({ approvals: TWO, heldFindings: 'never' })
    const event = (await desk.event(indexOf(await vote('rosa')))) as ApproveEvent
    expect(event.policy).toBe(eased)
    expect(event.policy).not.toBe(stricter)
    expect(await desk.store.readPolicy(eased)).toContain('"never"')
    await desk.policy({ approvals: TWO })
    expect(await verdictOf(desk, waiting.manifest)).toBe('verified')
  })
})

describe('four eyes', () => {
  it('nobody votes for what they published themselves', async () => {
    const both = await desk.person(`both${serial}`, ['publisher', 'reviewer'])
    const theirs = await desk.namespace(`org.both${serial}`, both.account)
    const own = await desk.publish(both, theirs, desk.manifest(`org.both${serial}/a`))
    expect(await refusal(desk, () => desk.approve(both.account, own.manifest))).toBe('own-work')
  })

  it('nor for what a service account of theirs published', async () => {
    const owner = `olga${serial}`
    await desk.person(owner, REVIEWER)
    const bot = await desk.person(`olga-ci${serial}`, PUBLISHER, owner)
    const theirs = await desk.namespace(`org.olga${serial}`, bot.account)
    const own = await desk.publish(bot, theirs, desk.manifest(`org.olga${serial}/a`))
    expect(await refusal(desk, () => desk.approve(owner, own.manifest))).toBe('own-work')
    expect(tallyOf(await desk.approve('rita', own.manifest))).toMatchObject({ votes: 1 })
  })

  it('nor through a service account of a service account', async () => {
    const owner = `omar${serial}`
    await desk.person(owner, PUBLISHER)
    await desk.person(`omar-bot${serial}`, REVIEWER, owner)
    await desk.person(`omar-bot-bot${serial}`, REVIEWER, `omar-bot${serial}`)
    const theirs = await desk.namespace(`org.omar${serial}`, owner)
    const own = await desk.publish({ ...alice, account: owner }, theirs, desk.manifest(`org.omar${serial}/a`))
    expect(await refusal(desk, () => desk.approve(`omar-bot-bot${serial}`, own.manifest))).toBe('own-work')
  })

  it('nor who is no reviewer', async () => {
    await desk.person(`admin${serial}`, ['admin', 'auditor'])
    expect(await refusal(desk, () => vote(`admin${serial}`))).toBe('decider-not-allowed')
    expect(await refusal(desk, () => vote('nobody'))).toBe('decider-not-allowed')
  })
})

describe('an approval from before an undo', () => {
  it('is not good for a second time: rejection, revocation, withdrawal', async () => {
    const after = await desk.last(waiting.manifest)
    await vote('rita')
    const approved = indexOf(await vote('rob'))
    await revoke(
      desk.context,
      principal('rosa'),
      { target: 'manifest', digest: waiting.manifest },
      {
        reason: 'hostile',
      },
    )
    for (const known of [after, approved]) {
      const again = () => approve(desk.context, 'rita', waiting.manifest, { after: known })
      expect(await refusal(desk, again)).toBe('after-outdated')
    }
    const next = await desk.publish(
      alice,
      key,
      desk.manifest(`com.example/server${serial}`, { version: '2.0.0' }),
    )
    await desk.approve('rita', next.manifest)
    await withdraw(desk.context, alice, next.manifest, { reason: 'a mistake' })
    const late = () => approve(desk.context, 'rob', next.manifest, { after: next.index })
    expect(await refusal(desk, late)).toBe('after-outdated')
  })

  function principal(account: string): Principal {
    return { ...alice, account, roles: REVIEWER, scopes: ['registry:review'] }
  }
})
