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
let author: Principal
let key: Signer
let serial = 0
let waiting: { manifest: Digest; index: number }

const TWO = { first: 2, none: 2, cosmetic: 2, narrowed: 2, text: 2, widened: 2, dangerous: 2 }

beforeAll(async () => {
  desk = await openDesk()
  author = await desk.person('author', PUBLISHER)
  key = await desk.namespace('com.example', 'author')
  for (const name of ['reviewer', 'reviewer2', 'reviewer3']) await desk.person(name)
  await desk.person('reviewer2-bot', REVIEWER, 'reviewer2')
  await desk.policy({ approvals: TWO })
})
afterAll(async () => {
  expect(await desk.lies()).toEqual([])
  await desk.close()
})
beforeEach(async () => {
  waiting = await desk.publish(author, key, desk.manifest(`com.example/server${++serial}`))
})

const vote = (account: string, change = {}) => desk.approve(account, waiting.manifest, change)

describe('where the policy asks for two', () => {
  it('one vote is kept and logs nothing; the second logs both, sorted', async () => {
    const before = desk.fixture.ledger.publishedSize()
    expect(tallyOf(await vote('reviewer2', { comment: 'fine' }))).toMatchObject({ votes: 1, needed: 2 })
    expect(desk.fixture.ledger.publishedSize()).toBe(before)
    const { votes, needs } = await readReview(desk.context, waiting.manifest)
    expect(votes).toMatchObject([{ account: 'reviewer2', comment: 'fine' }])
    expect([needs.approvals, needs.class]).toEqual([2, 'first'])
    const event = (await desk.event(indexOf(await vote('reviewer')))) as ApproveEvent
    expect([event.t, event.deciders, event.sole]).toEqual(['approve', ['reviewer', 'reviewer2'], undefined])
    expect(await verdictOf(desk, waiting.manifest)).toBe('verified')
  })

  it('two votes of one account are one', async () => {
    await vote('reviewer')
    expect(tallyOf(await vote('reviewer'))).toMatchObject({ votes: 1, needed: 2 })
  })

  it('a person and their service account are one person', async () => {
    await vote('reviewer2')
    expect(await refusal(desk, () => vote('reviewer2-bot'))).toBe('decider-not-allowed')
    expect(tallyOf(await vote('reviewer2'))).toMatchObject({ votes: 1 })
  })

  it('also where both vote at the same moment', async () => {
    const outcomes = await Promise.allSettled([vote('reviewer2'), vote('reviewer2-bot')])
    expect(outcomes.some((one) => one.status === 'fulfilled' && 'index' in one.value)).toBe(false)
    expect(await desk.status(waiting.manifest)).toBe('pending')
    expect(indexOf(await vote('reviewer'))).toBeGreaterThan(0)
  })

  it('a vote for what is not the latest event any more counts for nothing', async () => {
    const after = await desk.last(waiting.manifest)
    await vote('reviewer')
    const { index } = await reject(desk.context, 'reviewer3', waiting.manifest, { after, reason: 'unclear' })
    expect(await refusal(desk, () => vote('reviewer2', { after }))).toBe('after-outdated')
    expect(tallyOf(await vote('reviewer2', { after: index }))).toMatchObject({ votes: 1 })
    expect(indexOf(await vote('reviewer', { after: index }))).toBeGreaterThan(index)
  })

  it('a comment is no event: it voids no vote', async () => {
    await vote('reviewer')
    await comment(desk.context, 'reviewer3', waiting.manifest, 'looks good\nto me')
    expect((await readReview(desk.context, waiting.manifest)).comments).toMatchObject([
      { account: 'reviewer3', text: 'looks good\nto me' },
    ])
    expect(indexOf(await vote('reviewer2'))).toBeGreaterThan(waiting.index)
  })

  it.each([
    ['disabled', { disabled: true }],
    ['demoted', { roles: ['auditor'] as const }],
  ])('a voter who was %s before the quorum does not count', async (_, change) => {
    const name = `gone${serial}`
    await desk.person(name)
    await vote(name)
    await desk.store.updateAccount(name, change)
    expect(tallyOf(await vote('reviewer'))).toMatchObject({ votes: 1, needed: 2 })
    const event = (await desk.event(indexOf(await vote('reviewer2')))) as ApproveEvent
    expect(event.deciders).toEqual(['reviewer', 'reviewer2'])
  })

  it('a voter who was given the namespace meanwhile does not count', async () => {
    const namespace = `com.sold${serial}`
    const theirs = await desk.namespace(namespace, 'author')
    const sold = await desk.publish(author, theirs, desk.manifest(`${namespace}/a`))
    await desk.approve('reviewer3', sold.manifest)
    await desk.store.grantNamespace(namespace, 'reviewer3', 'admin')
    expect(tallyOf(await desk.approve('reviewer', sold.manifest))).toMatchObject({ votes: 1 })
    expect(await refusal(desk, () => desk.approve('reviewer3', sold.manifest))).toBe('own-work')
  })

  it('two last votes at the same moment log one event, and both are told where', async () => {
    const outcomes = await Promise.all([vote('reviewer'), vote('reviewer2')])
    const [one, two] = outcomes.map(indexOf)
    expect(one).toBe(two)
    const about = (await desk.entries()).filter(
      (event) => event.t === 'approve' && event.manifest === waiting.manifest,
    )
    expect(about).toMatchObject([{ deciders: ['reviewer', 'reviewer2'] }])
  })

  it('of three at the same moment two decide, and the log has one event', async () => {
    const outcomes = await Promise.allSettled(
      ['reviewer', 'reviewer2', 'reviewer3'].map((name) => vote(name)),
    )
    const done = outcomes.filter((one) => one.status === 'fulfilled' && 'index' in one.value)
    expect(done.length).toBeGreaterThanOrEqual(2)
    const about = (await desk.entries()).filter(
      (event) => event.t === 'approve' && event.manifest === waiting.manifest,
    )
    expect(about).toHaveLength(1)
  })

  it('a policy edited between the votes is the one the event names, and its number counts', async () => {
    await vote('reviewer')
    const stricter = await desk.policy({ approvals: { ...TWO, first: 3 } })
    expect(tallyOf(await vote('reviewer2'))).toMatchObject({ votes: 2, needed: 3 })
    const eased = await desk.policy({ approvals: TWO, heldFindings: 'never' })
    const event = (await desk.event(indexOf(await vote('reviewer3')))) as ApproveEvent
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
    const owner = `steward${serial}`
    await desk.person(owner, REVIEWER)
    const bot = await desk.person(`steward-ci${serial}`, PUBLISHER, owner)
    const theirs = await desk.namespace(`org.steward${serial}`, bot.account)
    const own = await desk.publish(bot, theirs, desk.manifest(`org.steward${serial}/a`))
    expect(await refusal(desk, () => desk.approve(owner, own.manifest))).toBe('own-work')
    expect(tallyOf(await desk.approve('reviewer', own.manifest))).toMatchObject({ votes: 1 })
  })

  it('nor through a service account of a service account', async () => {
    const owner = `keeper${serial}`
    await desk.person(owner, PUBLISHER)
    await desk.person(`keeper-bot${serial}`, REVIEWER, owner)
    await desk.person(`keeper-bot-bot${serial}`, REVIEWER, `keeper-bot${serial}`)
    const theirs = await desk.namespace(`org.keeper${serial}`, owner)
    const own = await desk.publish(
      { ...author, account: owner },
      theirs,
      desk.manifest(`org.keeper${serial}/a`),
    )
    expect(await refusal(desk, () => desk.approve(`keeper-bot-bot${serial}`, own.manifest))).toBe('own-work')
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
    await vote('reviewer')
    const approved = indexOf(await vote('reviewer2'))
    await revoke(
      desk.context,
      principal('reviewer3'),
      { target: 'manifest', digest: waiting.manifest },
      {
        reason: 'hostile',
      },
    )
    for (const known of [after, approved]) {
      const again = () => approve(desk.context, 'reviewer', waiting.manifest, { after: known })
      expect(await refusal(desk, again)).toBe('after-outdated')
    }
    const next = await desk.publish(
      author,
      key,
      desk.manifest(`com.example/server${serial}`, { version: '2.0.0' }),
    )
    await desk.approve('reviewer', next.manifest)
    await withdraw(desk.context, author, next.manifest, { reason: 'a mistake' })
    const late = () => approve(desk.context, 'reviewer2', next.manifest, { after: next.index })
    expect(await refusal(desk, late)).toBe('after-outdated')
  })

  function principal(account: string): Principal {
    return { ...author, account, roles: REVIEWER, scopes: ['registry:review'] }
  }
})
