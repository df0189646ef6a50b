import { describe, expect, it } from 'vitest'
import { holdsTag } from '../../src/http/conditional.js'

describe('If-None-Match', () => {
  it.each([
    ['"a"', true],
    ['W/"a"', true],
    ['*', true],
    [' * ', true],
    ['"b", "a"', true],
    ['"b",W/"a"', true],
    ['\t"a" ,', true],
    [',,, "a"', true],
    [undefined, false],
    ['', false],
    [',', false],
    ['a', false],
    ['"A"', false],
    ['"a', false],
    ['"ab"', false],
    ['"b", "c"', false],
    ['w/"a"', false],
    ['W/W/"a"', false],
    ['W/ "a"', false],
    ['"*"', false],
    ['**', false],
  ])('%j: %s', (header, expected) => {
    // Weak or strong: the same answer.
    expect([holdsTag(header, '"a"'), holdsTag(header, 'W/"a"')]).toEqual([expected, expected])
  })

  it('is read up to 32 tags, however long it is', () => {
    const others = (count: number): string => '"b",'.repeat(count)
    expect(holdsTag(`${others(31)}"a"`, '"a"')).toBe(true)
    expect(holdsTag(`${others(32)}"a"`, '"a"')).toBe(false)
    expect(holdsTag(`${','.repeat(1_000_000)}"a"`, '"a"')).toBe(false)
    expect(holdsTag('W/'.repeat(1_000_000), '"a"')).toBe(false)
    expect(holdsTag(`${' '.repeat(1_000_000)}"a"`, '"a"')).toBe(true)
  })
})
