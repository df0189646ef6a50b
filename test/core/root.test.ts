import {
  encodeKeyX,
  formatNote,
  formatTrustRootText,
  formatVerifierKey,
  noteSigner,
  openTrustRoot,
} from 'countersign/core'
import {
  parseTrustRoot,
  rootFingerprint,
  signerFromSeed,
  type Signer,
  type TrustRootBody,
} from 'countersign/core'
import { describe, expect, it } from 'vitest'

const key = (byte: number): Signer => signerFromSeed(new Uint8Array(32).fill(byte))
const id = 'registry-aaaaaaaaaaaaaaaaaaaa'
const rootNames = ['a/root', 'b/root', 'c/root']
const rootKeys = rootNames.map((name, i) => formatVerifierKey(name, 1, key(10 + i).publicKey))
const log = {
  origin: `${id}/log`,
  vkey: formatVerifierKey(`${id}/log`, 1, key(2).publicKey),
  status: 'active',
} as const
const body: TrustRootBody = {
  expires: '2027-01-01T00:00:00Z',
  freshness: { refreshSeconds: 300, maxSeconds: 86_400, offlineMaxSeconds: 604_800 },
  logs: [log],
  timestamper: formatVerifierKey(`${id}/timestamper`, 4, key(3).publicKey),
  policy: 'quorum none\n',
  rootKeys,
  threshold: 2,
}
const note = (version: number, change: Partial<TrustRootBody>, signers: number[], identity = id): string => {
  const text = formatTrustRootText(identity, version, { ...body, ...change })
  return formatNote(
    text,
    signers.map((i) => noteSigner(rootNames[i] ?? `x${i}/root`, key(10 + i)).sign(text)),
  )
}
const malformed = expect.objectContaining({ code: 'root-malformed' }) as unknown
const unsigned = expect.objectContaining({ code: 'root-unsigned' }) as unknown

describe('openTrustRoot', () => {
  it('needs a threshold of its own keys', () => {
    expect(openTrustRoot(note(1, {}, [0, 2])).version).toBe(1)
    expect(() => openTrustRoot(note(1, {}, [1]))).toThrow(unsigned)
  })

  it('counts a key once, however often it signs', () => {
    expect(() => openTrustRoot(note(1, {}, [1, 1, 1]))).toThrow(unsigned)
  })

  it('follows N to N+1 only with a threshold of both', () => {
    const first = openTrustRoot(note(1, {}, [0, 1]))
    const next = {
      rootKeys: [2, 3].map((i) => formatVerifierKey(rootNames[i] ?? `x${i}/root`, 1, key(10 + i).publicKey)),
    }
    expect(openTrustRoot(note(2, {}, [0, 1]), first).version).toBe(2)
    expect(() => openTrustRoot(note(2, next, [2, 3]), first)).toThrow(unsigned)
    expect(openTrustRoot(note(2, next, [0, 2, 3]), first).version).toBe(2)
    expect(() => openTrustRoot(note(2, next, [0, 1]), first)).toThrow(unsigned)
    expect(() => openTrustRoot(note(3, {}, [0, 1]), first)).toThrow(malformed)
    expect(() => openTrustRoot(note(2, {}, [0, 1], 'registry-b'), first)).toThrow(malformed)
  })

  it('keeps one fingerprint, whoever signed', () => {
    const texts = [note(1, {}, [0, 1]), note(1, {}, [1, 2])].map((n) =>
      rootFingerprint(parseTrustRoot(n).text),
    )
    expect(texts[0]).toBe(texts[1])
  })
})

describe('the logs of the next version', () => {
  const other = (n: number, name: string) => ({
    origin: `${id}/${name}`,
    vkey: formatVerifierKey(`${id}/${name}`, 1, key(n).publicKey),
  })
  const end = (size: number) => ({ size, root: Buffer.alloc(32, size).toString('base64') })
  const frozen = (one: object, size: number) => ({ ...one, status: 'frozen', final: end(size) })
  const [second, third] = [other(8, 'log-2'), other(9, 'log-3')]
  const steps = (before: object[], after: object[]) => {
    const first = openTrustRoot(note(1, { logs: before as TrustRootBody['logs'] }, [0, 1]))
    return () => openTrustRoot(note(2, { logs: after as TrustRootBody['logs'] }, [0, 1]), first)
  }
  const active = (one: object) => ({ ...one, status: 'active' })

  it('stay, or the active one is frozen and one follows', () => {
    expect(steps([log], [log])().version).toBe(2)
    expect(steps([log], [frozen(log, 9), active(second)])().version).toBe(2)
    const two = [frozen(log, 9), active(second)]
    expect(steps(two, two)().version).toBe(2)
    expect(steps(two, [frozen(log, 9), frozen(second, 5), active(third)])().version).toBe(2)
  })

  it.each<[string, object[], object[]]>([
    ['another log in the place of the active one', [log], [active(second)]],
    ['another key for the active one', [log], [{ ...log, vkey: other(8, 'log').vkey }]],
    ['two steps at once', [log], [frozen(log, 9), frozen(second, 5), active(third)]],
    ['a frozen one in front', [log], [frozen(second, 5), log]],
    ['a frozen one that thaws', [frozen(log, 9), active(second)], [log]],
    ['a frozen one that is gone', [frozen(log, 9), active(second)], [active(second)]],
    ['an end that moves', [frozen(log, 9), active(second)], [frozen(log, 10), active(second)]],
    [
      'an order that changes',
      [frozen(log, 9), frozen(second, 5), active(third)],
      [frozen(second, 5), frozen(log, 9), active(third)],
    ],
    [
      'a frozen key that changes',
      [frozen(log, 9), active(second)],
      [frozen({ ...log, vkey: other(9, 'log').vkey }, 9), active(second)],
    ],
  ])('are not %s', (_, before, after) => {
    expect(steps(before, after)).toThrow(malformed)
  })
})

describe('parseTrustRoot', () => {
  const frozen = { ...log, origin: `${id}/old`, vkey: formatVerifierKey(`${id}/old`, 1, key(4).publicKey) }
  const final = { size: 9, root: Buffer.alloc(32).toString('base64') }

  it('takes a frozen log beside the active one, authorities and approvers', () => {
    const set = { keys: [encodeKeyX(key(7).publicKey)], threshold: 1 }
    const root = parseTrustRoot(
      note(
        1,
        { logs: [{ ...frozen, status: 'frozen', final }, log], authorities: set, approvers: set },
        [0, 1],
      ),
    )
    expect(root.logVerifiers.size).toBe(2)
  })

  it.each<[string, Partial<TrustRootBody>]>([
    [
      'one key for two purposes',
      { timestamper: formatVerifierKey(`${id}/timestamper`, 4, key(2).publicKey) },
    ],
    [
      'a log key with another name',
      { logs: [{ ...log, vkey: formatVerifierKey('other/log', 1, key(2).publicKey) }] },
    ],
    ['two active logs', { logs: [log, frozen] }],
    ['a frozen log behind the active one', { logs: [log, { ...frozen, status: 'frozen', final }] }],
    ['one origin twice', { logs: [{ ...log, status: 'frozen', final }, log] }],
    [
      'an end without a tree',
      { logs: [{ ...frozen, status: 'frozen', final: { size: 0, root: final.root } }, log] },
    ],
    [
      'an end that is no hash',
      { logs: [{ ...frozen, status: 'frozen', final: { size: 9, root: 'AA==' } }, log] },
    ],
    ['no active log', { logs: [{ ...frozen, status: 'frozen', final }] }],
    ['a threshold nobody can reach', { threshold: 4 }],
    [
      'a timestamper that signs notes',
      { timestamper: formatVerifierKey(`${id}/timestamper`, 1, key(3).publicKey) },
    ],
    [
      'a repeated approver',
      { approvers: { keys: Array<string>(2).fill(encodeKeyX(key(7).publicKey)), threshold: 1 } },
    ],
    ['an unknown member', { surprise: 1 } as object],
  ])('refuses %s', (_, change) => {
    expect(() => parseTrustRoot(note(1, change, [0, 1]))).toThrow(malformed)
  })

  it('refuses any other text', () => {
    const good = note(1, {}, [0, 1])
    for (const bad of [
      good.replace('trust-root/v1', 'trust-root/v2'),
      good.replace('\n1\n', '\n01\n'),
      good.replace('{"expires"', '{ "expires"'),
    ]) {
      expect(() => parseTrustRoot(bad)).toThrow()
    }
  })
})
