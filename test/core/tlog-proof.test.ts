import {
  cosigner,
  decodeBase64,
  encodeBase64,
  formatCheckpointBody,
  formatNote,
  formatTlogProof,
  inclusionProof,
  MAX_TLOG_PROOF_BYTES,
  merkleRoot,
  noteSigner,
  parseTlogProof,
  type TlogProof,
  utf8Bytes,
  verifyTlogProof,
} from 'countersign/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readJson, vectors } from '../support/shared.js'
import { byteLeaves, codeOf, flipped, readerOver, testSigner } from '../support/tlog.js'

const origin = 'registry.example/log'
const logSigner = noteSigner(origin, testSigner(1))
const witness = cosigner('witness.example', testSigner(2))
const log = { origin, key: logSigner.key }
const leaves = byteLeaves(117)
const body = formatCheckpointBody({ origin, size: 117, root: merkleRoot(leaves) })
const checkpoint = formatNote(body, [logSigner.sign(body), witness.cosign(body, 5)])
const proofOf = (index: number): TlogProof => ({
  index,
  hashes: inclusionProof(index, 117, readerOver(leaves)),
  checkpoint,
})
const proof = proofOf(70)
const text = formatTlogProof(proof)
const parsing = (proofText: string | Uint8Array): string => codeOf(() => parseTlogProof(proofText))

const file = vectors('transparency-dev+formats/tlog-proof.json')
describe.skipIf(!file)('published proofs', () => {
  interface Proofs {
    marshal: {
      name: string
      index: number
      hashes: string[]
      extra?: string
      checkpoint: string
      want: string
    }[]
    unmarshalErrors: { name: string; proof: string }[]
  }
  const { marshal, unmarshalErrors } = (
    file ? readJson(file) : { marshal: [], unmarshalErrors: [] }
  ) as Proofs

  it('are three and seven', () => expect([marshal.length, unmarshalErrors.length]).toEqual([3, 7]))

  it.each(marshal)('written: $name', ({ index, hashes, extra, checkpoint: note, want }) => {
    const made = formatTlogProof({
      index,
      hashes: hashes.map(decodeBase64),
      checkpoint: note,
      ...(extra === undefined ? {} : { extra: decodeBase64(extra) }),
    })
    expect(made).toBe(want)
    // Their checkpoints are placeholders, and no notes.
    expect(parsing(want)).toBe('note-malformed')
  })

  // A tree of one entry, so that nothing but what the vector is about is wrong.
  const single = formatCheckpointBody({ origin, size: 1, root: leaves[0]! })
  const real = formatNote(single, [logSigner.sign(single)])

  it.each(unmarshalErrors)('refused: $name', ({ proof: bad }) => {
    expect(parsing(bad)).toBe('proof-malformed')
    expect(parsing(bad.replace('checkpoint\n', real))).toBe('proof-malformed')
  })

  it('are refused for what is wrong with them: the right form is accepted', () => {
    expect(parsing(`c2sp.org/tlog-proof@v1\nindex 0\n\n${real}`)).toBe('accepted')
    expect(parsing(`c2sp.org/tlog-proof@v1\nextra AA==\nindex 0\n\n${real}`)).toBe('accepted')
  })
})

describe('a proof', () => {
  it('comes back as it went in, and proves its entry', () => {
    for (const index of [0, 1, 70, 115, 116]) {
      const parsed = parseTlogProof(formatTlogProof(proofOf(index)))
      expect(parsed).toEqual(proofOf(index))
      const { checkpoint: opened, cosignatures } = verifyTlogProof(parsed, leaves[index]!, log, [witness.key])
      expect(opened.size).toBe(117)
      expect(cosignatures).toEqual([{ key: witness.key, timestamp: 5 }])
    }
  })

  it('carries extra bytes that prove nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (extra) => {
        const withExtra = { ...proof, extra }
        expect(parseTlogProof(formatTlogProof(withExtra))).toEqual(withExtra)
        verifyTlogProof(withExtra, leaves[70]!, log)
      }),
    )
  })

  it('proves no other entry, for no other log, under no other key', () => {
    expect(codeOf(() => verifyTlogProof(proof, leaves[71]!, log))).toBe('proof-mismatch')
    expect(codeOf(() => verifyTlogProof({ ...proof, index: 71 }, leaves[70]!, log))).toBe('proof-mismatch')
    const other = { origin: 'other.example/log', key: log.key }
    expect(codeOf(() => verifyTlogProof(proof, leaves[70]!, other))).toBe('checkpoint-invalid')
    const stranger = { origin, key: noteSigner(origin, testSigner(9)).key }
    expect(codeOf(() => verifyTlogProof(proof, leaves[70]!, stranger))).toBe('note-unverified')
    const bad = { ...proof, hashes: proof.hashes.with(2, flipped(proof.hashes[2]!)) }
    expect(codeOf(() => verifyTlogProof(bad, leaves[70]!, log))).toBe('proof-mismatch')
  })

  const lines = text.split('\n')
  const head = lines.indexOf('')
  const without = (i: number): string => lines.toSpliced(i, 1).join('\n')
  const inserted = (i: number, line: string): string => lines.toSpliced(i, 0, line).join('\n')

  it.each([
    ['nothing', ''],
    ['another header', text.replace('@v1', '@v2')],
    ['no header', without(0)],
    ['a byte order mark', `\ufeff${text}`],
    ['no index', without(1)],
    ['two indexes', inserted(1, 'index 70')],
    ['an index with zeros', text.replace('index 70', 'index 070')],
    ['an index in hexadecimal', text.replace('index 70', 'index 0x46')],
    ['an index with two spaces', text.replace('index 70', 'index  70')],
    ['an index outside the tree', text.replace('index 70', 'index 117')],
    ['an index past 2^53', text.replace('index 70', 'index 9007199254740992')],
    ['a hash less', without(3)],
    ['a hash more', inserted(3, encodeBase64(leaves[0]!))],
    ['a hash of 31 bytes', lines.with(3, encodeBase64(leaves[0]!.subarray(1))).join('\n')],
    ['a blank after a hash', lines.with(3, `${lines[3]} `).join('\n')],
    ['extra after the index', inserted(2, 'extra AA==')],
    ['extra twice', inserted(1, 'extra AA==\nextra AA==')],
    ['extra with pad bits', inserted(1, 'extra AB==')],
    ['extra without bytes and blank', inserted(1, 'extra')],
    ['another line before the index', inserted(1, 'note')],
    ['no empty line', without(head)],
    ['64 hashes', inserted(3, Array.from({ length: 60 }, () => lines[3]).join('\n'))],
    ['no checkpoint', `${lines.slice(0, head).join('\n')}\n`],
  ])('is refused with %s', (_, bad) => {
    expect(bad).not.toBe(text)
    expect(parsing(bad)).toBe('proof-malformed')
  })

  it.each([
    ['an empty checkpoint', `${lines.slice(0, head + 1).join('\n')}\n`, 'note-malformed'],
    ['a second empty line', inserted(head, ''), 'checkpoint-malformed'],
    ['trailing data', `${text}more\n`, 'note-malformed'],
    ['no final line feed', text.slice(0, -1), 'note-malformed'],
    ['an unsigned checkpoint', text.slice(0, text.indexOf(body) + body.length), 'note-malformed'],
    ['a checkpoint that is none', text.replace('\n117\n', '\n0x75\n'), 'checkpoint-malformed'],
    [
      'carriage returns in the checkpoint',
      text.replace(body, body.replaceAll('\n', '\r\n')),
      'note-malformed',
    ],
    ['too much', `${text}${'x'.repeat(MAX_TLOG_PROOF_BYTES)}`, 'input-too-large'],
  ])('is refused with %s', (_, bad, code) => {
    expect(parsing(bad)).toBe(code)
  })

  it('is refused where it is not text', () => {
    expect(parsing(utf8Bytes(text))).toBe('accepted')
    expect(parsing(Buffer.concat([utf8Bytes(text), Buffer.of(0xff)]))).toBe('utf8-invalid')
    expect(parsing(text.replaceAll('\n', '\r\n'))).toBe('proof-malformed')
    expect(codeOf(() => formatTlogProof({ ...proof, index: -1 }))).toBe('decimal-invalid')
  })

  it('fails with any byte changed, but for the lines of keys nobody asked about', () => {
    const alone = formatTlogProof({ ...proof, checkpoint: formatNote(body, [logSigner.sign(body)]) })
    const bytes = utf8Bytes(alone)
    for (let at = 0; at < bytes.length; at++) {
      const changed = flipped(bytes, at)
      const code = codeOf(() => verifyTlogProof(parseTlogProof(changed), leaves[70]!, log))
      expect([at, code]).not.toEqual([at, 'accepted'])
    }
  })
})
