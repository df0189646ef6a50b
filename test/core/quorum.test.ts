import {
  assertDistinctKeys,
  cosigner,
  countIndependent,
  formatVerifierKey,
  parsePolicy,
  parseVerifierKey,
  type QuorumPolicy,
  quorumTime,
  sha256,
  signerFromSeed,
  utf8Bytes,
  type VerifierKey,
} from 'countersign/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readJson, vectors } from '../support/shared.js'
import { codeOf } from '../support/tlog.js'

const keyOf = (seed: string): Uint8Array => signerFromSeed(sha256(utf8Bytes(seed))).publicKey
const logKey = (name: string): string => formatVerifierKey(name, 1, keyOf(`log ${name}`))
const witnessKey = (name: string): string => formatVerifierKey(`${name}.example`, 4, keyOf(`witness ${name}`))
const witnessLine = (name: string): string => `witness ${name} ${witnessKey(name)}\n`
const refused = (text: string) => expect(codeOf(() => parsePolicy(text)))

/** Cosignatures by these witnesses of the policy, all at one time unless times are given. */
function cosignedBy(policy: QuorumPolicy, names: readonly string[], times: readonly number[] = []) {
  return names.map((name, i) => {
    const witness = policy.witnesses.find((one) => one.name === name)
    if (!witness) throw new RangeError(`no witness ${name}`)
    return { key: witness.key, timestamp: times[i] ?? 100 }
  })
}

const sigsumFile = vectors('sigsum+sigsum-go/policy.json')
describe.skipIf(!sigsumFile)('published policies with raw keys', () => {
  interface Policies {
    valid: { policy: string; sets: [string[], boolean][] }[]
    invalid: { name: string; policy: string }[]
  }
  const { valid, invalid } = (sigsumFile ? readJson(sigsumFile) : { valid: [], invalid: [] }) as Policies

  // Their keys are patterns, not points of the curve: each becomes a real key made from it, so that equal
  // keys stay equal. `separate` gives a log another key than a witness of the same pattern.
  function convert(policy: string, separate: boolean): string {
    return policy.replace(/^([ \t]*)(log|witness)([ \t]+)(?:(\S+)([ \t]+))??([0-9a-f]{64})/gm, (...found) => {
      const [, indent, kind, blank, name, gap, hex] = found as string[]
      const key = keyOf(separate ? `${kind} ${hex}` : String(hex))
      const vkey = formatVerifierKey(`${hex?.slice(0, 8)}.example`, kind === 'log' ? 1 : 4, key)
      return `${indent}${kind}${blank}${name === undefined ? '' : `${name}${gap}`}${vkey}`
    })
  }

  it('are two valid and thirteen invalid', () => {
    expect(valid).toHaveLength(2)
    expect(invalid).toHaveLength(13)
  })

  it.each(valid)('valid %#: quorum for each set of witnesses', ({ policy, sets }) => {
    const parsed = parsePolicy(convert(policy, true))
    for (const [names, isQuorum] of sets) {
      expect([names, quorumTime(parsed, cosignedBy(parsed, names)) !== undefined]).toEqual([names, isQuorum])
    }
  })

  it('refuses the key that is a log and a witness, which that implementation only discourages', () => {
    const shared = valid.find(({ policy }) => policy.includes('same key for log and key'))?.policy ?? ''
    refused(convert(shared, false)).toBe('policy-malformed')
    refused(convert(shared, true)).toBe('accepted')
  })

  it.each(invalid)('invalid: $name', ({ policy }) => {
    refused(convert(policy, true)).toBe('policy-malformed')
  })

  // The vectors end before their quorum line: with one they must fail all the same, for the reason they were
  // made for.
  it.each(
    invalid.filter(({ name, policy }) => !policy.includes('quorum') && !/empty|missing quorum/.test(name)),
  )('invalid, with a quorum line: $name', ({ policy }) => {
    refused(`${convert(policy, true)}quorum none\n`).toBe('policy-malformed')
  })
})

const formatsFile = vectors('transparency-dev+formats/policy.json')
describe.skipIf(!formatsFile)('published policies with verifier keys', () => {
  interface Policies {
    accepted: { name: string; policy: string }[]
    rejected: { name: string; policy: string }[]
  }
  const { accepted, rejected } = (
    formatsFile ? readJson(formatsFile) : { accepted: [], rejected: [] }
  ) as Policies
  // Their witnesses have keys of type 0x01, which cannot make a cosignature.
  const retyped = (policy: string): string =>
    policy.replace(/(?<=^[ \t]*witness[ \t]+\S+[ \t]+)\S+/gm, (vkey) => {
      const { name, publicKey } = parseVerifierKey(vkey)
      return formatVerifierKey(name, 4, publicKey)
    })
  const policyOf = (name: string): string => accepted.find((one) => one.name === name)?.policy ?? ''

  it('tidy: with witness keys of the right type', () => {
    refused(policyOf('tidy')).toBe('policy-malformed')
    const policy = parsePolicy(retyped(policyOf('tidy')))
    expect(policy.witnesses.map(({ url }) => url)).toEqual([
      'https://sigsum.org/witness/',
      'https://example.com/witness/',
    ])
    expect(quorumTime(policy, cosignedBy(policy, ['w1']))).toBeUndefined()
    expect(quorumTime(policy, cosignedBy(policy, ['w2', 'w1']))).toBe(100)
  })

  it('white space and comments: without the comment at the end of a line', () => {
    const policy = retyped(policyOf('whitespace and comments'))
    refused(policy).toBe('policy-malformed')
    refused(policy.replace(/ +#comment$/m, '')).toBe('accepted')
  })

  it.each(['group numerical', 'group all', 'group any'])('%s: one key on two lines is refused', (name) => {
    refused(retyped(policyOf(name))).toBe('policy-malformed')
    // The last of the witnesses with the same key taken out, the rest is a policy.
    const once = retyped(policyOf(name))
      .replace(/^witness w3 .*\n/m, '')
      .replace(' w3', '')
    refused(once).toBe('accepted')
  })

  it.each(rejected)('rejected: $name', ({ policy }) => {
    refused(policy).toBe('policy-malformed')
    refused(`${retyped(policy)}\n`).toBe('policy-malformed')
  })
})

describe('a policy', () => {
  const three = `${witnessLine('a')}${witnessLine('b')}${witnessLine('c')}`

  it('names logs by origin, witnesses and groups by name, in any order of log and witness lines', () => {
    const text = `quorum none\nlog ${logKey('one')} https://one.example/\n${three}log ${logKey('two')}\n`
    const policy = parsePolicy(text)
    expect(policy.logs.map(({ name }) => name)).toEqual(['one', 'two'])
    expect(policy.witnesses.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
    expect(policy.isNone).toBe(true)
    expect(policy.witnesses[0]).toEqual({ name: 'a', key: parseVerifierKey(witnessKey('a')) })
  })

  it('separates by spaces and tabs, skips blank lines and whole-line comments', () => {
    const text = `\n \t\n# comment\n\t #another\n\twitness\t a \t${witnessKey('a')} \t\n  quorum\ta\t\n`
    expect(parsePolicy(text).quorum).toMatchObject({ kind: 'witness', witness: { name: 'a' } })
  })

  it('takes names of any octets above space, as they are', () => {
    const text = `witness K ${witnessKey('a')}\nwitness \u212a ${witnessKey('b')}\ngroup été all K \u212a\nquorum été\n`
    expect(parsePolicy(text).witnesses).toHaveLength(2)
    // No-break space is not a separator.
    expect(parsePolicy(`witness a\u00a0b ${witnessKey('a')}\nquorum a\u00a0b\n`).witnesses[0]?.name).toBe(
      'a\u00a0b',
    )
  })

  it.each([
    ['nothing', ''],
    ['no quorum', three],
    ['two quorums', `${three}quorum a\nquorum b\n`],
    ['two equal quorums', `quorum none\nquorum none\n`],
    ['a quorum of two', `${three}quorum a b\n`],
    ['a quorum of nothing', `${three}quorum\n`],
    ['a quorum before its witness', `quorum a\n${three}`],
    ['a quorum of a group not there', `${three}quorum g\n`],
    ['no final line feed', 'quorum none'],
    ['carriage returns', 'quorum none\r\n'],
    ['a form feed', '\fquorum none\n'],
    ['DEL in a comment', '# \u007f\nquorum none\n'],
    ['NUL in a comment', '# \u0000\nquorum none\n'],
    ['a lone surrogate', '# \ud800\nquorum none\n'],
    ['a no-break space for a separator', `quorum\u00a0none\n`],
    ['another keyword', 'Quorum none\n'],
    ['a comment after a line', 'quorum none # really\n'],
    ['a log without key', 'log\nquorum none\n'],
    ['a log with two URLs', `log ${logKey('l')} https://a/ https://b/\nquorum none\n`],
    ['a log with a witness key', `log ${witnessKey('l')}\nquorum none\n`],
    ['a witness with a log key', `witness w ${logKey('w')}\nquorum none\n`],
    ['a witness without key', 'witness w\nquorum none\n'],
    ['a witness with two URLs', `witness w ${witnessKey('w')} https://a/ https://b/\nquorum none\n`],
    ['a witness named none', `witness none ${witnessKey('w')}\nquorum none\n`],
    ['a group named none', `${three}group none any a\nquorum none\n`],
    ['none in a group', `${three}group g any none\nquorum g\n`],
    ['a group with the name of a witness', `${three}group b any a\nquorum b\n`],
    ['a group in itself', `${three}group g any g\nquorum g\n`],
    ['a group before its members', `group g any a\n${three}quorum g\n`],
    ['a group of nobody', `${three}group g any\nquorum g\n`],
    ['a group without a number', `${three}group g\nquorum g\n`],
    ['a member twice in a group', `${three}group g any a a\nquorum g\n`],
    ['a member of two groups', `${three}group g any a b\ngroup h any b c\nquorum g\n`],
    ['a threshold of 0', `${three}group g 0 a b\nquorum g\n`],
    ['a threshold over the members', `${three}group g 3 a b\nquorum g\n`],
    ['a negative threshold', `${three}group g -1 a b\nquorum g\n`],
    ['a threshold with a zero before it', `${three}group g 02 a b\nquorum g\n`],
    ['a threshold in hexadecimal', `${three}group g 0x1 a b\nquorum g\n`],
    ['a threshold in words', `${three}group g Any a b\nquorum g\n`],
    ['one log key twice', `log ${logKey('l')}\nlog ${logKey('l')}\nquorum none\n`],
    [
      'one log key under two names',
      `log ${logKey('l')}\nlog ${formatVerifierKey('other', 1, keyOf('log l'))}\nquorum none\n`,
    ],
    [
      'one witness key under two names',
      `${three}witness d ${formatVerifierKey('d.example', 4, keyOf('witness a'))}\nquorum none\n`,
    ],
    [
      'one key as log and witness',
      `${three}log ${formatVerifierKey('l', 1, keyOf('witness a'))}\nquorum none\n`,
    ],
    [
      'a key whose id is wrong',
      `witness w ${witnessKey('w').replace(/\+[0-9a-f]{8}\+/, '+00000000+')}\nquorum w\n`,
    ],
  ])('is refused with %s', (_, text) => {
    refused(text).toBe('policy-malformed')
  })

  it('takes 64 logs, witnesses and groups, and no more', () => {
    const names = Array.from({ length: 65 }, (_, i) => `n${i}`)
    const logs = names.map((name) => `log ${logKey(name)}\n`)
    const witnesses = names.map(witnessLine)
    const groups = names.map((name, i) => `group g${i} any ${i === 64 ? 'g0' : name}\n`)
    const policy = (l: number, w: number, g: number): string =>
      [...logs.slice(0, l), ...witnesses.slice(0, w), ...groups.slice(0, g), 'quorum none\n'].join('')
    refused(policy(64, 64, 64)).toBe('accepted')
    refused(policy(65, 64, 64)).toBe('policy-malformed')
    refused(policy(64, 65, 64)).toBe('policy-malformed')
    refused(policy(64, 64, 65)).toBe('policy-malformed')
    refused(`# ${'x'.repeat(128 * 1024)}\nquorum none\n`).toBe('input-too-large')
  })

  it('is not confused by names of the language', () => {
    const text = `witness __proto__ ${witnessKey('a')}\nwitness constructor ${witnessKey('b')}\ngroup toString all __proto__ constructor\nquorum toString\n`
    const policy = parsePolicy(text)
    expect(quorumTime(policy, cosignedBy(policy, ['__proto__']))).toBeUndefined()
    expect(quorumTime(policy, cosignedBy(policy, ['__proto__', 'constructor']))).toBe(100)
    refused('quorum hasOwnProperty\n').toBe('policy-malformed')
  })

  it('has distinct keys, as any set of keys can be held to', () => {
    const a = parseVerifierKey(witnessKey('a'))
    const b = parseVerifierKey(logKey('b'))
    expect(codeOf(() => assertDistinctKeys([a, b]))).toBe('accepted')
    expect(codeOf(() => assertDistinctKeys([a, b, { ...a, name: 'other', keyId: 0, type: 1 }]))).toBe(
      'policy-malformed',
    )
  })
})

describe('the time of a quorum', () => {
  const text = `${['a', 'b', 'c', 'd', 'e'].map(witnessLine).join('')}group left 2 a b c\ngroup both all left d\nquorum both\n`
  const policy = parsePolicy(text)
  const time = (names: string[], times: number[]) => quorumTime(policy, cosignedBy(policy, names, times))

  it('is the oldest of the newest that are enough', () => {
    expect(time(['a', 'b', 'd'], [30, 20, 10])).toBe(10)
    expect(time(['a', 'b', 'c', 'd'], [30, 20, 5, 40])).toBe(20)
    expect(time(['d', 'c', 'b', 'a'], [40, 5, 20, 30])).toBe(20)
    expect(time(['a', 'b', 'c', 'd'], [1, 2, 3, 4])).toBe(2)
  })

  it('is none without a quorum', () => {
    expect(time([], [])).toBeUndefined()
    expect(time(['a', 'b', 'c'], [1, 1, 1])).toBeUndefined()
    expect(time(['a', 'd', 'e'], [1, 1, 1])).toBeUndefined()
    const none = parsePolicy(`${witnessLine('a')}quorum none\n`)
    expect(quorumTime(none, cosignedBy(none, ['a']))).toBeUndefined()
    expect(countIndependent(none, cosignedBy(none, ['a']))).toBe(1)
  })

  it('counts a witness once, and nobody else', () => {
    expect(time(['a', 'a', 'd'], [3, 2, 1])).toBeUndefined()
    const stranger = cosigner('a.example', signerFromSeed(sha256(utf8Bytes('stranger')))).key
    const asLog: VerifierKey = { ...parseVerifierKey(witnessKey('b')), type: 1 }
    const renamed: VerifierKey = { ...parseVerifierKey(witnessKey('b')), name: 'other' }
    for (const key of [stranger, asLog, renamed]) {
      const cosignatures = [...cosignedBy(policy, ['a', 'd']), { key, timestamp: 100 }]
      expect(quorumTime(policy, cosignatures)).toBeUndefined()
      expect(countIndependent(policy, cosignatures)).toBe(2)
    }
    expect(countIndependent(policy, cosignedBy(policy, ['a', 'a', 'e']))).toBe(2)
    expect(countIndependent(policy, [])).toBe(0)
  })

  it('knows a witness by its key, not by the object', () => {
    const fresh = ['a', 'b', 'd'].map((name) => ({ key: parseVerifierKey(witnessKey(name)), timestamp: 8 }))
    expect(quorumTime(policy, fresh)).toBe(8)
    expect(countIndependent(policy, fresh)).toBe(3)
  })

  it('is the latest T such that those at T or later are a quorum', () => {
    const votes = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.nat({ max: 20 })), {
      maxLength: 8,
    })
    const isQuorum = (names: Set<string>): boolean =>
      names.has('d') && ['a', 'b', 'c'].filter((name) => names.has(name)).length >= 2
    fc.assert(
      fc.property(votes, (some) => {
        const meets = (t: number) => isQuorum(new Set(some.filter(([, at]) => at >= t).map(([name]) => name)))
        const expected = Array.from({ length: 21 }, (_, t) => t).findLast(meets)
        const found = time(
          some.map(([name]) => name),
          some.map(([, at]) => at),
        )
        expect(found).toBe(expected)
      }),
    )
  })
})
