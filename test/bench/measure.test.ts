import { describe, expect, it } from 'vitest'
import { formatRows, medians, rowOf, subject } from './measure.js'

const name = { bench: 'verify', row: 'warm-50', unit: 'ms', target: 1 } as const

describe('what scripts read of a benchmark', () => {
  it('is one JSON line a row, with these members in this order', () => {
    const row = rowOf(name, { value: 0.24, against: 0.26 })
    const lines = formatRows([row, row]).trimEnd().split('\n').slice(-2)
    const line =
      '{"bench":"verify","row":"warm-50","value":0.24,"unit":"ms","against":0.26,"ratio":0.923,"target":1,"pass":true}'
    expect(lines).toEqual([line, line])
  })

  it('fails beyond the ratio, beyond the limit, and when nothing was measured', () => {
    expect(rowOf(name, { value: 1, against: 1 }).pass).toBe(true)
    expect(rowOf(name, { value: 1.01, against: 1 }).pass).toBe(false)
    expect(rowOf(name, { value: 9, against: 10 }, 8).pass).toBe(false)
    expect(rowOf(name, { value: Number.NaN, against: 1 }).pass).toBe(false)
  })

  it('comes from runs that take turns, each with fresh input, without the warm-up', async () => {
    const seen: string[] = []
    const inputs: number[] = []
    const of = (label: string) =>
      subject(
        () => seen.length,
        (input) => {
          inputs.push(input)
          seen.push(label)
        },
      )
    const times = await medians([of('a'), of('b')], 3, 1)
    expect(seen.join('')).toBe('abababab')
    expect(inputs).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(times.every((ms) => ms >= 0)).toBe(true)
  })
})
