import {
  type Checkpoint,
  cosigner,
  EMPTY_ROOT,
  encodeBase64,
  formatCheckpointBody,
  formatNote,
  leafHash,
  merkleRoot,
  noteSigner,
  openCheckpoint,
  openNote,
  parseCheckpointBody,
  parseVerifierKey,
  utf8Bytes,
} from 'countersign/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readJson, vectors } from '../support/shared.js'
import { byteLeaves, codeOf, testSigner } from '../support/tlog.js'

const origin = 'registry.example/log'
const root = merkleRoot(byteLeaves(16))
const body = formatCheckpointBody({ origin, size: 16, root })
const logSigner = noteSigner(origin, testSigner(1))
const witness = cosigner('witness.example', testSigner(2))
const log = { origin, key: logSigner.key }

const bodyFile = vectors('transparency-dev+formats/checkpoint-body.json')
describe.skipIf(!bodyFile)('published checkpoint bodies', () => {
  interface BodyCase {
    name: string
    body: string
    wantErr: boolean
  }
  const { cases } = (bodyFile ? readJson(bodyFile) : { cases: [] }) as { cases: BodyCase[] }
  const rejects = cases.filter(({ wantErr }) => wantErr)

  it('have seven rejects', () => expect(rejects).toHaveLength(7))

  it.each(rejects)('$name', ({ body: bad }) => {
    expect(codeOf(() => parseCheckpointBody(bad))).toBe('checkpoint-malformed')
  })

  // The parser they come from takes roots of any length and extension lines; this one takes neither.
  it.each(cases.filter(({ wantErr }) => !wantErr))(
    '$name: refused here, the root has not 32 bytes',
    ({ body: bad }) => {
      expect(codeOf(() => parseCheckpointBody(bad))).toBe('checkpoint-malformed')
    },
  )
})

const treeFile = vectors('golang+mod/tiles.json')
describe.skipIf(!treeFile)('a tree as another implementation writes it', () => {
  it('is the same text', () => {
    const { formatTree } = readJson(treeFile ?? '') as {
      formatTree: { n: string; leaf: string; text: string }
    }
    const checkpoint: Checkpoint = {
      origin: 'go.sum database tree',
      size: Number(formatTree.n),
      root: leafHash(utf8Bytes(formatTree.leaf)),
    }
    expect(formatCheckpointBody(checkpoint)).toBe(formatTree.text)
    expect(formatCheckpointBody(parseCheckpointBody(formatTree.text))).toBe(formatTree.text)
  })
})

const sumdbFile = vectors('golang+mod/sumdb-checkpoints.json')
describe.skipIf(!sumdbFile)('checkpoints of a real log', () => {
  interface Sumdb {
    vkey: string
    origin: string
    checkpoints: string[]
  }
  const sumdb = (sumdbFile ? readJson(sumdbFile) : { checkpoints: [] }) as Sumdb

  it('are two', () => expect(sumdb.checkpoints).toHaveLength(2))

  it.each(sumdb.checkpoints)('verify under the pinned pair of origin and key: %#', (note) => {
    const key = parseVerifierKey(sumdb.vkey)
    const opened = openCheckpoint(note, { origin: sumdb.origin, key })
    expect(opened.checkpoint.size).toBe(Number(note.split('\n')[1]))
    // Its origin is not its key name: neither may be taken for the other.
    expect(codeOf(() => openCheckpoint(note, { origin: key.name, key }))).toBe('checkpoint-invalid')
  })
})

describe('a checkpoint body', () => {
  const parts = body.split('\n')
  const withLine = (i: number, line: string): string => parts.with(i, line).join('\n')
  const root64 = encodeBase64(root)

  it('comes back as it went in', () => {
    expect(parseCheckpointBody(body)).toEqual({ origin, size: 16, root })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (size, root) => {
          expect(parseCheckpointBody(formatCheckpointBody({ origin, size, root }))).toEqual({
            origin,
            size,
            root,
          })
        },
      ),
    )
  })

  it.each([
    ['a size in hexadecimal', withLine(1, '0x10')],
    ['a size with blanks', withLine(1, ' 16 ')],
    ['a size with leading zeros', withLine(1, '007')],
    ['a signed size', withLine(1, '+16')],
    ['a negative size', withLine(1, '-16')],
    ['a size with an exponent', withLine(1, '1e1')],
    ['a fraction', withLine(1, '16.0')],
    ['an empty size', withLine(1, '')],
    ['other digits', withLine(1, '١٦')],
    ['2^53', withLine(1, '9007199254740992')],
    ['2^64', withLine(1, '18446744073709551616')],
    ['a root of three bytes', withLine(2, 'AAAA')],
    ['a root of 33 bytes', withLine(2, encodeBase64(new Uint8Array(33)))],
    ['junk in the root', withLine(2, `${root64.slice(0, 10)}*${root64.slice(10)}`)],
    ['a blank in the root', withLine(2, `${root64.slice(0, 10)} ${root64.slice(10)}`)],
    ['the URL alphabet', withLine(2, encodeBase64(new Uint8Array(32).fill(255)).replaceAll('/', '_'))],
    ['no padding', withLine(2, root64.slice(0, -1))],
    ['pad bits', withLine(2, root64.slice(0, -2) + 'd=')],
    ['carriage returns', body.replaceAll('\n', '\r\n')],
    ['a carriage return after the origin', withLine(0, `${origin}\r`)],
    ['an extension line', `${body}extension\n`],
    ['an empty extension line', `${body}\n`],
    ['no final line feed', body.slice(0, -1)],
    ['a line before', `\n${body}`],
    ['no origin', withLine(0, '')],
    ['a control character in the origin', withLine(0, 'a\u0001')],
    ['a lone surrogate in the origin', withLine(0, 'a\ud800')],
    ['an origin that makes a cosignature', withLine(0, 'cosignature/v1')],
    ['an origin without end', withLine(0, 'x'.repeat(1025))],
    ['nothing', ''],
  ])('is refused with %s', (_, bad) => {
    expect(bad).not.toBe(body)
    expect(codeOf(() => parseCheckpointBody(bad))).toBe('checkpoint-malformed')
  })

  it('has size 0 if and only if it has the empty root', () => {
    const empty = formatCheckpointBody({ origin, size: 0, root: EMPTY_ROOT })
    expect(parseCheckpointBody(empty).size).toBe(0)
    const lie = empty.replace('\n0\n', '\n1\n')
    const other = body.replace('\n16\n', '\n0\n')
    for (const bad of [lie, other])
      expect(codeOf(() => parseCheckpointBody(bad))).toBe('checkpoint-malformed')
    expect(codeOf(() => formatCheckpointBody({ origin, size: 0, root }))).toBe('checkpoint-malformed')
    expect(codeOf(() => formatCheckpointBody({ origin, size: 1, root: EMPTY_ROOT }))).toBe(
      'checkpoint-malformed',
    )
  })

  it('is not made of what cannot be read', () => {
    const make = (change: Partial<Checkpoint>) =>
      codeOf(() => formatCheckpointBody({ origin, size: 16, root, ...change }))
    expect(make({})).toBe('accepted')
    for (const size of [-1, 1.5, 2 ** 53, Number.NaN]) expect(make({ size })).toBe('checkpoint-malformed')
    for (const bad of ['', 'a\nb', 'cosignature/v1', 'cosignature/']) {
      expect(make({ origin: bad })).toBe('checkpoint-malformed')
    }
    expect(make({ root: root.subarray(1) })).toBe('checkpoint-malformed')
  })
})

describe('a signed checkpoint', () => {
  const note = formatNote(body, [logSigner.sign(body), witness.cosign(body, 1_700_000_000)])
  const open = (text: string | Uint8Array) => openCheckpoint(text, log, [witness.key])

  it('opens under the pinned log, with its cosignatures', () => {
    const { checkpoint, cosignatures } = open(note)
    expect(checkpoint).toEqual({ origin, size: 16, root })
    expect(cosignatures).toEqual([{ key: witness.key, timestamp: 1_700_000_000 }])
  })

  it('fails with any bit of any byte changed', () => {
    const bytes = utf8Bytes(note)
    const codes = new Set<string>()
    // A line whose name or key id changed is another, unknown key's: then the cosignature is gone, not wrong.
    const name = utf8Bytes(note.slice(0, note.lastIndexOf(witness.key.name))).length
    const isHead = (at: number) => at >= name && at < name + witness.key.name.length + 1 + 6
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = bytes.slice()
        changed[at]! ^= 1 << bit
        const code = codeOf(() => expect(open(changed).cosignatures).toEqual([]))
        if (!isHead(at)) expect(code).not.toBe('accepted')
        codes.add(code)
      }
    }
    expect([...codes].sort()).toEqual([
      'accepted',
      'checkpoint-invalid',
      'cosignature-invalid',
      'note-malformed',
      'note-signature-invalid',
      'utf8-invalid',
    ])
  })

  it('fails with any byte inserted or removed', () => {
    const bytes = utf8Bytes(formatNote(body, [logSigner.sign(body)]))
    for (let at = 0; at <= bytes.length; at++) {
      for (const byte of [0x0a, 0x20, 0x30, 0x41]) {
        const longer = Buffer.concat([bytes.subarray(0, at), Buffer.of(byte), bytes.subarray(at)])
        expect(codeOf(() => openCheckpoint(longer, log))).not.toBe('accepted')
      }
      if (at === bytes.length) continue
      const shorter = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
      expect(codeOf(() => openCheckpoint(shorter, log))).not.toBe('accepted')
    }
  })
})

// What a checkpoint verifier of the field accepts from a log that signs such things. Each is refused here.
describe('leniency seen elsewhere', () => {
  const signedBy = (text: string, name = origin) =>
    formatNote(text, [noteSigner(name, testSigner(1)).sign(text)])
  const key = log.key
  const changed = (from: string, to: string): string => signedBy(body.replace(from, to))

  it('a key name that is a part of the origin', () => {
    for (const name of ['e', 'registry.example', 'log']) {
      expect(codeOf(() => openCheckpoint(signedBy(body, name), log))).toBe('note-unverified')
    }
  })

  it('the origin of another log, under the right key', () => {
    const note = changed(origin, 'other.example/log')
    expect(codeOf(() => openNote(note, [key]))).toBe('accepted')
    expect(codeOf(() => openCheckpoint(note, log))).toBe('checkpoint-invalid')
  })

  it.each([
    ['a size in hexadecimal', '\n16\n', '\n0x10\n'],
    ['a size with blanks and zeros', '\n16\n', '\n 007 \n'],
    ['a root of three bytes', encodeBase64(root), 'AAAA'],
    [
      'junk in the root',
      encodeBase64(root),
      `${encodeBase64(root).slice(0, 8)}!!${encodeBase64(root).slice(8)}`,
    ],
  ])('%s, validly signed', (_, from, to) => {
    const note = changed(from, to)
    expect(codeOf(() => openNote(note, [key]))).toBe('accepted')
    expect(codeOf(() => openCheckpoint(note, log))).toBe('checkpoint-malformed')
  })

  it('text after the signatures', () => {
    for (const tail of ['text\n', '\n', 'text']) {
      expect(codeOf(() => openCheckpoint(signedBy(body) + tail, log))).toBe('note-malformed')
    }
  })

  it('a bad signature of the known key beside a good one of another', () => {
    const bad = logSigner.sign(body.replace('16', '17'))
    const note = formatNote(body, [witness.cosign(body, 5), bad])
    expect(codeOf(() => openCheckpoint(note, log, [witness.key]))).toBe('note-signature-invalid')
  })

  it('a carriage return in the body', () => {
    const crlf = body.replaceAll('\n', '\r\n')
    const signature = logSigner.sign(body)
    expect(codeOf(() => openCheckpoint(`${crlf}\n${signature}\n`, log))).toBe('note-malformed')
    expect(codeOf(() => logSigner.sign(crlf))).toBe('note-malformed')
  })

  it('cosignatures without the log', () => {
    const note = formatNote(body, [witness.cosign(body, 5)])
    expect(codeOf(() => openCheckpoint(note, log, [witness.key]))).toBe('checkpoint-invalid')
    expect(codeOf(() => openCheckpoint(note, log))).toBe('note-unverified')
  })

  it('an extension line, validly signed', () => {
    const extended = `${body}extension 1\n`
    expect(codeOf(() => openCheckpoint(signedBy(extended), log))).toBe('checkpoint-malformed')
  })
})
