import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cascadeRevocation, type CascadeKey } from 'countersign/core'

const key = (kid: string, added: number, endorser?: string, invalidFrom?: number): CascadeKey => ({
  ...{ kid, added, endorser, invalidFrom },
})
const ends = (keys: readonly CascadeKey[], kid: string, invalidFrom: number): Record<string, number> =>
  Object.fromEntries(cascadeRevocation(keys, { kid, invalidFrom }))

// A first key endorses an honest own key at 10; a thief has it from 50 on, brings in a key and that one another.
const history = [
  key('first', 1, 'first'),
  key('honest', 10, 'first'),
  key('sign', 12, 'honest'),
  key('thief', 50, 'first'),
  key('thief-sign', 55, 'thief'),
  key('late', 60, 'honest'),
]

describe('cascadeRevocation', () => {
  it('voids what the key endorsed from its end on, one endorsement after the other', () => {
    expect(ends(history, 'first', 50)).toEqual({ first: 50, thief: 50, 'thief-sign': 55 })
  })

  it('leaves what it endorsed before, and what others endorsed', () => {
    expect(ends(history, 'thief', 100)).toEqual({ thief: 100 })
    expect(ends(history, 'thief', 51)).toEqual({ thief: 51, 'thief-sign': 55 })
  })

  it('goes through everything when the end lies before it all', () => {
    const all = { first: 0, honest: 10, sign: 12, thief: 50, 'thief-sign': 55, late: 60 }
    expect(ends(history, 'first', 0)).toEqual(all)
  })

  it('only moves ends back, and says nothing of keys that it does not move', () => {
    const ended = [key('first', 1, 'first', 70), key('a', 60, 'first', 60), key('b', 65, 'first', 80)]
    expect(ends(ended, 'first', 50)).toEqual({ first: 50, b: 65 })
    expect(ends(ended, 'first', 90)).toEqual({})
  })

  it('a key that authorities gave is endorsed by nobody', () => {
    expect(ends([key('first', 1, 'first'), key('given', 60)], 'first', 0)).toEqual({ first: 0 })
  })

  it('takes a key with two roles as one: its first voided role ends it', () => {
    const two = [...history, key('sign', 58, 'thief')]
    expect(ends(two, 'thief', 51)).toEqual({ thief: 51, 'thief-sign': 55, sign: 58 })
  })

  it('follows ten thousand endorsements, in whatever order they are told, without being held up', () => {
    let looks = 0
    const chain = Array.from({ length: 10_000 }, (_, i) => ({
      ...key(`k${i}`, i + 1),
      get endorser(): string {
        looks += 1
        return `k${Math.max(0, i - 1)}`
      },
    }))
    expect(cascadeRevocation(chain.toReversed(), { kid: 'k0', invalidFrom: 2 }).size).toBe(chain.length)
    // Looks are counted, not seconds: a round for each endorsement takes ten thousand times as many.
    expect(looks).toBeLessThan(10 * chain.length)
  })

  it('leaves no key standing whose endorser did not count, and touches no other', () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const rows = fc.array(
      fc.record({
        kid: fc.constantFrom(...names),
        added: fc.nat(40),
        endorser: fc.option(fc.constantFrom(...names), { nil: undefined }),
      }),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(rows, fc.constantFrom(...names), fc.nat(50), (keys, kid, invalidFrom) => {
        const changed = cascadeRevocation(keys, { kid, invalidFrom })
        const end = (one: string): number => changed.get(one) ?? Infinity
        for (const row of keys) {
          const orphan = row.endorser !== undefined && row.added >= end(row.endorser)
          if (orphan) expect(end(row.kid)).toBeLessThanOrEqual(row.added)
        }
        for (const [moved, at] of changed) {
          const because = keys.some(
            (row) =>
              row.kid === moved && row.added === at && row.endorser !== undefined && at >= end(row.endorser),
          )
          expect(because || (moved === kid && at === invalidFrom)).toBe(true)
        }
      }),
    )
  })
})
