import { describe, expect, it } from 'vitest'
import { OutsideError, type Outside } from '../../src/net/outside.js'
import { lookAtDns } from '../../src/publishers/proofs/dns.js'

const NAMESPACE = 'com.example.one.two'
const KID = 'k'.repeat(43)
const wanted = { registry: 'registry-test', account: 'holder', kids: [KID] }
const RECORD = `v=countersign1; registry=registry-test; account=holder; kid=${KID}`
const names = ['two.one.example.com', 'one.example.com', 'example.com'].flatMap((domain) => [
  `_countersign.${domain}.`,
  `${domain}.`,
])

/** Answers nobody before the last name was asked for; what each name then says. */
function answering(say: (name: string) => readonly string[]): { outside: Outside; asked: string[] } {
  const asked: string[] = []
  let open: () => void = () => undefined
  const all = new Promise<void>((resolve) => (open = resolve))
  const resolveTxt = async (name: string): Promise<readonly string[]> => {
    if (asked.push(name) === names.length) open()
    await all
    return say(name)
  }
  return { outside: { resolveTxt, request: () => Promise.reject(new Error('not asked for')) }, asked }
}
const silent = (): never => {
  throw new OutsideError('unreachable', 'silent')
}

describe('lookAtDns', () => {
  it('does not wait for one name before it asks for the next', async () => {
    const { outside, asked } = answering(silent)
    expect(await lookAtDns(outside, NAMESPACE, wanted)).toMatchObject({ is: 'unreachable' })
    expect(asked).toEqual(names)
  })

  it.each<[string, (name: string) => readonly string[], object]>([
    ['says no', () => [], { is: 'absent' }],
    ['says nothing somewhere', (name) => (name === names[3] ? silent() : []), { is: 'unreachable' }],
    [
      'says yes above a silent name',
      (name) => (name === '_countersign.example.com.' ? [RECORD] : silent()),
      { is: 'present', subject: 'example.com' },
    ],
    [
      'says yes at every level: the nearest counts',
      (name) => (name.startsWith('_') ? [RECORD] : []),
      { is: 'present', subject: 'two.one.example.com' },
    ],
    // A wildcard answers for our label as well; a record of ours at the name itself is none.
    ['says yes at the wrong name', (name) => (name.startsWith('_') ? [] : [RECORD]), { is: 'absent' }],
    ['says yes for another registry', () => [RECORD.replace('-test', '-other')], { is: 'absent' }],
    [
      'says yes among others',
      (name) => (name.startsWith('_') ? ['v=spf1', RECORD, 'x'] : []),
      { is: 'present' },
    ],
  ])('who %s', async (_, say, look) => {
    expect(await lookAtDns(answering(say).outside, NAMESPACE, wanted)).toMatchObject(look)
  })
})
