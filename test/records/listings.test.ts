import { expect, it } from 'vitest'
import type { Question } from '../../client/src/consent/types.js'
import type { HostEvent } from '../../client/src/review/events.js'
import { DIGEST, listed, MANIFEST, openPad, reviewOf, signed } from './support.js'

it('a listing says what the host was shown, once for the same', async () => {
  const pad = openPad()
  const review = reviewOf([signed('a'), signed('b')])
  pad.tell(listed(review))
  pad.tell(listed(review))
  pad.tell(
    listed(reviewOf([signed('a')], { withheld: [{ kind: 'tool', name: 'b', code: 'revoked', detail: {} }] })),
  )
  const [first, second, third] = await pad.written()
  expect(first).toMatchObject({
    kind: 'listing',
    decision: 'allowed',
    code: 'verified',
    allowed: 2,
    items: [
      { kind: 'tool', name: 'a', digest: DIGEST },
      { kind: 'tool', name: 'b', digest: DIGEST },
    ],
  })
  expect(second).not.toHaveProperty('items')
  expect(third).toMatchObject({
    decision: 'withheld',
    items: [{ name: 'a' }],
    withheld: [{ kind: 'tool', name: 'b', code: 'revoked' }],
  })
})

it('a listing that came to nothing, resources that were withheld, instructions and requests refused', async () => {
  const pad = openPad()
  pad.tell({ type: 'listing-refused', list: 'prompts', code: 'stale', detail: { maxSeconds: 900 } })
  pad.tell({
    type: 'resources-withheld',
    withheld: [{ kind: 'resource' as 'tool', name: 'file:///x', code: 'not-listed', detail: {} }],
  })
  pad.tell({ type: 'instructions-withheld', code: 'instructions-changed', detail: {} })
  pad.tell({ type: 'request-refused', method: 'tasks/get', name: 't', code: 'not-listed' })
  expect(await pad.written()).toMatchObject([
    { kind: 'listing', list: 'prompts', decision: 'refused', code: 'stale', detail: { maxSeconds: 900 } },
    { kind: 'listing', list: 'resources', decision: 'withheld', code: 'not-listed' },
    { kind: 'refusal', method: 'instructions', code: 'instructions-changed' },
    { kind: 'refusal', method: 'tasks/get', name: 't', code: 'not-listed' },
  ])
})

it('a thousand items and as many withheld stay within a line', async () => {
  const pad = openPad()
  const name = (i: number): string => `${i}${'\u200b'.repeat(400)}`
  const tools = Array.from({ length: 1000 }, (_, i) => signed(name(i)))
  const withheld = tools.map((one) => ({ kind: 'tool', name: one.name, code: 'frozen', detail: {} }) as const)
  pad.tell(listed(reviewOf(tools, { withheld })))
  const [record] = await pad.written()
  expect(record).toMatchObject({ allowed: 1000, more: 1700, truncated: ['items', 'withheld'] })
})

const question: Question = {
  id: `sha256:${'4'.repeat(64)}`,
  reason: 'changed',
  server: 'com.example/weather',
  slot: 'npx weather',
  from: { version: '1.0.0', manifest: DIGEST },
  to: { version: '1.1.0', manifest: MANIFEST },
  class: 'widened',
  items: ['tool get_forecast'],
  askedAt: 1,
}

it('consent: what was asked, what a person said, and what changed with that', async () => {
  const pad = openPad()
  const { slot, server, from, to } = question
  const about = { slot, server, question }
  const events: HostEvent[] = [
    { type: 'asked', ...about },
    { type: 'consented', ...about, decision: 'agreed' },
    { type: 'consented', ...about, decision: 'refused' },
    {
      type: 'changed',
      ...{ slot, server, from: from ?? to, to },
      reason: 'changed',
      class: 'text',
      reaction: 'recorded',
      counts: { text: 2 },
    },
  ]
  for (const event of events) pad.records.onHostEvent(event)
  const written = await pad.written()
  expect(written).toMatchObject([
    { kind: 'consent', decision: 'asked', question: question.id, server, class: 'widened', from, to },
    { kind: 'consent', decision: 'agreed' },
    { kind: 'consent', decision: 'refused' },
    { kind: 'change', decision: 'recorded', manifest: to.manifest, version: to.version, counts: { text: 2 } },
  ])
  expect(new Set(written.map(({ session }) => session)).size).toBe(1)
})

it('a name that two servers have is written once, and another one again', async () => {
  const pad = openPad()
  const shadow = (name: string): HostEvent => ({ type: 'shadowed', slot: 's', name, detail: { other: 'x' } })
  for (const name of ['a', 'a', 'b', 'a']) pad.records.onHostEvent(shadow(name))
  expect((await pad.written()).map(({ name }) => name)).toEqual(['a', 'b'])
})

it('what is for logs and not for records is not written', async () => {
  const pad = openPad()
  pad.tell({ type: 'frame-dropped', from: 'server', reason: 'batch' })
  pad.tell({ type: 'frozen', list: 'tools', cause: 'server' })
  pad.tell({ type: 'stapled' })
  pad.records.onHostEvent({ type: 'refresh-failed', identity: 'r', code: 'stale', detail: {} })
  expect(await pad.written()).toEqual([])
})
