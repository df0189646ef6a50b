import { describe, expect, it } from 'vitest'
import { CountersignError, explainVerdict, isVerdict, VERDICT_CODES } from 'countersign'
import { refuse } from 'countersign/core'
import { measureFreshness } from '../../client/src/freshness.js'
import { atStep } from '../../client/src/verdict.js'
import { codeOf } from './support.js'

describe('verdicts', () => {
  it('are a closed list, each with a sentence and a remedy', () => {
    expect(VERDICT_CODES).toHaveLength(41)
    for (const code of VERDICT_CODES) {
      const { sentence, remedy } = explainVerdict(code, { name: 'the $& tool' })
      expect(sentence).toMatch(/^\S.*\.$/)
      expect(remedy).toMatch(/^\S.*\.$/)
      expect(sentence).not.toContain('{')
    }
    expect(explainVerdict('unlisted-tool', { name: '$& x' }).sentence).toContain('$& x')
    expect(explainVerdict('pending').sentence).toBe('It waits for its review.')
    expect(explainVerdict('policy-denied').sentence).toBe('The host’s policy does not allow it.')
    const waits = explainVerdict('definition-changed', { name: 'x', pinned: true, question: 'id' })
    expect(waits.sentence + waits.remedy).toMatch(/^x is not what .*showed.*agree/)
    expect(explainVerdict('definition-changed', { name: 'x', pinned: true }).remedy).toContain('report')
    expect([isVerdict('frozen'), isVerdict('io'), isVerdict('constructor')]).toEqual([true, false, false])
  })

  it('a format error becomes the verdict of its step, a verdict keeps its code, an operation passes', () => {
    const at = (run: () => never): CountersignError => {
      try {
        return atStep(6, 'proof-invalid', run)
      } catch (error) {
        return error as CountersignError
      }
    }
    const format = at(() => refuse('proof-mismatch', 'x', { index: 3 }))
    expect([format.code, format.detail]).toEqual([
      'proof-invalid',
      { step: 6, format: 'proof-mismatch', index: 3 },
    ])
    expect((format.cause as CountersignError).code).toBe('proof-mismatch')
    expect([at(() => refuse('key-revoked', 'x')).code, at(() => refuse('key-revoked', 'x')).detail]).toEqual([
      'key-revoked',
      { step: 6 },
    ])
    expect(at(() => refuse('io', 'x')).code).toBe('io')
    expect(
      at(() => {
        throw new RangeError('ours')
      }),
    ).toBeInstanceOf(RangeError)
  })
})

describe('measureFreshness', () => {
  const limits = { maxSeconds: 100, offlineMaxSeconds: 1000 }
  it('is a value until the time lies ahead', () => {
    const of = (clock: number, more = {}) => measureFreshness({ attestedAt: 5000, clock, limits, ...more })
    expect(of(5100)).toEqual({
      status: 'ok',
      attestedAt: 5000,
      ageSeconds: 100,
      maxSeconds: 100,
      offline: false,
    })
    expect(of(5100.5).status).toBe('stale')
    expect(of(5101, { offline: true }).status).toBe('ok')
    expect(of(4400).status).toBe('ok')
    expect(codeOf(() => of(4399))).toBe('clock-skew')
    expect(of(0, { newestAttested: 5101 }).status).toBe('stale')
    expect(measureFreshness({ clock: 0, limits }).status).toBe('unknown')
  })
})
