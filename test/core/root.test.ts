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

describe('parseTrustRoot', () => {
  const frozen = { ...log, origin: `${id}/old`, vkey: formatVerifierKey(`${id}/old`, 1, key(4).publicKey) }
  const final = { size: 9, root: Buffer.alloc(32).toString('base64') }

  it('takes a frozen log beside the active one, authorities and approvers', () => {
    const set = { keys: [encodeKeyX(key(7).publicKey)], threshold: 1 }
    const root = parseTrustRoot(
      note(
        1,
        { logs: [log, { ...frozen, status: 'frozen', final }], authorities: set, approvers: set },
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
