import {
  cosigner,
  decodeBase64,
  encodeBase64,
  formatCheckpointBody,
  formatNote,
  formatPrivateKey,
  formatVerifierKey,
  fromHex,
  merkleRoot,
  noteKeyId,
  noteSigner,
  openNote,
  parseNote,
  parsePrivateKey,
  parseText,
  parseVerifierKey,
  signerFromSeed,
  toHex,
  utf8Bytes,
  type VerifierKey,
} from 'countersign/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readJson, vectors } from '../support/shared.js'
import { byteLeaves, codeOf, testSigner } from '../support/tlog.js'

const keyName = ({ name, keyId }: { name: string; keyId: number }): string =>
  `${name}+${keyId.toString(16).padStart(8, '0')}`

const noteFile = vectors('golang+mod/note.json')
describe.skipIf(!noteFile)('published signed-note cases', () => {
  interface OpenCase {
    name: string
    keys: string[]
    note?: string
    noteBase64?: string
    verified?: string[]
    unverified?: string[]
    error?: string
  }
  interface Cases {
    signer: { skey: string; vkey: string; text: string; signedNote: string }
    badVkeys: string[]
    open: OpenCase[]
  }
  const { signer, badVkeys, open } = (noteFile ? readJson(noteFile) : { open: [] }) as Cases
  const codes: Record<string, string> = {
    'no-verifiable-signature': 'note-unverified',
    'ambiguous-key': 'policy-malformed',
    'invalid-signature': 'note-signature-invalid',
    malformed: 'note-malformed',
  }

  it('are all there', () => expect(open).toHaveLength(16))

  it.each(open.map((one) => [one.name, one] as const))('%s', (name, one) => {
    const note =
      one.noteBase64 === undefined ? one.note! : new Uint8Array(Buffer.from(one.noteBase64, 'base64'))
    const keys = one.keys.map(parseVerifierKey)
    if (one.error !== undefined) {
      // Bytes that are no text at all are refused a layer below.
      const code = name === 'invalid UTF-8' ? 'utf8-invalid' : codes[one.error]
      expect(codeOf(() => openNote(note, keys))).toBe(code)
      return
    }
    const opened = openNote(note, keys)
    expect(opened.text).toBe(one.note!.slice(0, one.note!.lastIndexOf('\n\n') + 1))
    expect(opened.verified.map(({ key }) => keyName(key))).toEqual(one.verified)
    // The vector drops a repeated unknown line by its bytes, as this does.
    expect(opened.unverified.map(keyName)).toEqual(one.unverified)
  })

  it('sign: the private key gives the very note', () => {
    const { key, signer: held } = parsePrivateKey(signer.skey)
    expect(formatVerifierKey(key.name, key.type, key.publicKey)).toBe(signer.vkey)
    expect(formatNote(signer.text, [noteSigner(key.name, held).sign(signer.text)])).toBe(signer.signedNote)
  })

  it('refuse bad public keys: each proper substring, each byte one more', () => {
    const { vkey } = signer
    expect(codeOf(() => parseVerifierKey(vkey))).toBe('accepted')
    const incremented = Array.from(
      vkey,
      (c, i) => vkey.slice(0, i) + String.fromCharCode(c.charCodeAt(0) + 1) + vkey.slice(i + 1),
    )
    const substrings = Array.from(vkey).flatMap((_, i) =>
      Array.from({ length: vkey.length - i }, (_, k) => vkey.slice(i, i + k + 1)).filter((s) => s !== vkey),
    )
    for (const bad of [...badVkeys, ...incremented, ...substrings, '']) {
      expect(codeOf(() => parseVerifierKey(bad))).toBe('key-invalid')
    }
  })
})

const specFile = vectors('C2SP+C2SP/spec-examples.json')
describe.skipIf(!specFile)('the example key of the specification', () => {
  it('is refused: its id is not its own', () => {
    const { signedNoteExample } = readJson(specFile ?? '') as {
      signedNoteExample: { vkey: string; computedKeyId: string }
    }
    const [name = '', , encoded = ''] = signedNoteExample.vkey.split(/\+(.{8})\+/)
    const id = noteKeyId(name, 1, decodeBase64(encoded).subarray(1))
    expect(id.toString(16)).toBe(signedNoteExample.computedKeyId)
    expect(codeOf(() => parseVerifierKey(signedNoteExample.vkey))).toBe('key-invalid')
  })
})

const sequenceFile = vectors('FiloSottile+sunlight/add-checkpoint-sequence.json')
describe.skipIf(!sequenceFile)('pad bits of a signature', () => {
  interface Sequence {
    logVkey: string
    requests: { name: string; body: string }[]
  }
  const { logVkey, requests } = (sequenceFile ? readJson(sequenceFile) : { requests: [] }) as Sequence
  const noteOf = (name: string): string => {
    const body = requests.find((request) => request.name === name)?.body ?? ''
    return body.slice(body.indexOf('\n\n') + 2)
  }

  it('are malformed for a client and a bad signature for a witness', () => {
    const note = noteOf('invalid signature')
    const key = parseVerifierKey(logVkey)
    expect(codeOf(() => openNote(note, [key]))).toBe('note-malformed')
    const parsed = parseNote(note, { tolerantPadBits: true })
    expect(codeOf(() => openNote(parsed, [key]))).toBe('note-signature-invalid')
    // What is kept is written in the one spelling.
    expect(note).not.toContain(parsed.signatures[0]!.line)
    expect(codeOf(() => parseNote(formatNote(parsed.text, [parsed.signatures[0]!.line])))).toBe('accepted')
  })

  it('do not matter where they are right', () => {
    const note = noteOf('grow to size 3')
    expect(parseNote(note, { tolerantPadBits: true })).toEqual(parseNote(note))
    expect(openNote(note, [parseVerifierKey(logVkey)]).verified).toHaveLength(1)
  })
})

const alice = noteSigner('alice.example/key', testSigner(1))
const bob = noteSigner('bob.example/key', testSigner(2))
const text = 'first line\n\nafter an empty line\n'
const note = formatNote(text, [alice.sign(text), bob.sign(text)])
const lineOf = (name: string, bytes: Uint8Array): string => `\u2014 ${name} ${encodeBase64(bytes)}`

describe('opening a note', () => {
  it('takes the last empty line as the separator', () => {
    const opened = openNote(note, [alice.key])
    expect(opened.text).toBe(text)
    expect(opened.verified.map(({ key }) => key)).toEqual([alice.key])
    expect(opened.unverified.map(({ name }) => name)).toEqual(['bob.example/key'])
    expect(openNote(utf8Bytes(note), [bob.key, alice.key]).verified).toHaveLength(2)
  })

  it('refuses the whole note for one bad line of a known key', () => {
    const forged = formatNote(text, [alice.sign(text), bob.sign('another text\n')])
    expect(codeOf(() => openNote(forged, [alice.key, bob.key]))).toBe('note-signature-invalid')
    // Of an unknown key nothing can be said.
    expect(codeOf(() => openNote(forged, [alice.key]))).toBe('accepted')
  })

  it('ignores a second line of the same key, good or bad, but not a bad first one', () => {
    const bad = alice.sign('another text\n')
    const goodFirst = formatNote(text, [alice.sign(text), bad])
    expect(openNote(goodFirst, [alice.key]).verified).toHaveLength(1)
    const badFirst = formatNote(text, [bad, alice.sign(text)])
    expect(codeOf(() => openNote(badFirst, [alice.key]))).toBe('note-signature-invalid')
  })

  it('does not take a key of another name with the same id, or of the same name with another id', () => {
    const { keyId, publicKey } = alice.key
    const renamed: VerifierKey = { name: 'alice.example', keyId, type: 1, publicKey }
    const renumbered: VerifierKey = { ...alice.key, keyId: keyId ^ 1 }
    expect(codeOf(() => openNote(note, [renamed]))).toBe('note-unverified')
    expect(codeOf(() => openNote(note, [renumbered]))).toBe('note-unverified')
  })

  it('refuses to choose between two known keys of one name and id', () => {
    const twin: VerifierKey = { ...alice.key, publicKey: bob.key.publicKey }
    expect(codeOf(() => openNote(note, [alice.key, twin]))).toBe('policy-malformed')
    expect(codeOf(() => openNote(note, [twin]))).toBe('note-signature-invalid')
  })

  it('needs a signature of 64 bytes', () => {
    const id = new Uint8Array(4)
    new DataView(id.buffer).setUint32(0, alice.key.keyId)
    const signature = parseNote(note).signatures[0]!.signature
    for (const bad of [signature.subarray(1), Buffer.concat([signature, id]), new Uint8Array(1)]) {
      const forged = formatNote(text, [lineOf(alice.name, Buffer.concat([id, bad]))])
      expect(codeOf(() => openNote(forged, [alice.key]))).toBe('note-signature-invalid')
    }
  })

  it('takes no key of type 0x01 for a cosigner, nor the other way round', () => {
    const signer = testSigner(3)
    const body = formatCheckpointBody({ origin: 'example.com/log', size: 1, root: merkleRoot(byteLeaves(1)) })
    const witness = cosigner('witness.example', signer)
    const sameName = noteSigner('witness.example', signer)
    expect(witness.key.keyId).not.toBe(sameName.key.keyId)
    const cosigned = formatNote(body, [witness.cosign(body, 7)])
    expect(openNote(cosigned, [witness.key]).verified).toEqual([
      { key: witness.key, timestamp: 7, line: witness.cosign(body, 7) },
    ])
    expect(codeOf(() => openNote(cosigned, [sameName.key]))).toBe('note-unverified')
    // Even with the id of the other type written in by force.
    const forced: VerifierKey = { ...sameName.key, keyId: witness.key.keyId }
    expect(codeOf(() => openNote(cosigned, [forced]))).toBe('note-signature-invalid')
    const signed = formatNote(body, [sameName.sign(body)])
    const forcedWitness: VerifierKey = { ...witness.key, keyId: sameName.key.keyId }
    expect(codeOf(() => openNote(signed, [forcedWitness]))).toBe('cosignature-invalid')
  })
})

describe('the syntax of a note', () => {
  const good = alice.sign(text)

  it.each([
    ['nothing', ''],
    ['no separator', text],
    ['no signature', `${text}\n`],
    ['no final line feed', note.slice(0, -1)],
    ['a line after the signatures', `${note}trailing\n`],
    ['an empty line after the signatures', `${note}\n`],
    ['a hyphen for the dash', note.replaceAll('\u2014', '-')],
    ['an en dash for the dash', note.replaceAll('\u2014', '\u2013')],
    ['two spaces', note.replace('\u2014 ', '\u2014  ')],
    ['a tab for the space', note.replace('\u2014 ', '\u2014\t')],
    ['a space at the end of a line', note.replace(`${good}\n`, `${good} \n`)],
    ['carriage returns', note.replaceAll('\n', '\r\n')],
    ['a carriage return in the text', `a\r\n\n${good}\n`],
    ['NUL', note.replace('first', '\u0000')],
    ['a tab in the text', note.replace('first', 'a\tb')],
    ['a name with a plus', note.replace('alice.', 'alice+')],
    ['a name that is empty', note.replace('alice.example/key', '')],
    ['no padding', note.replace(/=*\n$/, '\n')],
    [
      'the URL alphabet',
      `${text}\n\u2014 a ${encodeBase64(new Uint8Array(66).fill(255)).replaceAll('/', '_')}\n`,
    ],
    ['junk in base64', note.replace(/(.)\n$/, '*$1\n')],
    ['four bytes of signature', `${text}\n${lineOf('a', new Uint8Array(4))}\n`],
    ['65 signatures', `${text}\n${`${lineOf('a', new Uint8Array(8))}\n`.repeat(65)}`],
  ])('refuses %s', (_, bad) => {
    expect(codeOf(() => parseNote(bad))).toBe('note-malformed')
  })

  it.each([
    0x09, 0x0b, 0x0c, 0x0d, 0x20, 0x85, 0xa0, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000,
  ])('refuses the Unicode space %i in a name', (code) => {
    const name = `a${String.fromCharCode(code)}b`
    expect(codeOf(() => parseNote(`${text}\n${lineOf(name, new Uint8Array(68))}\n`))).toBe('note-malformed')
    expect(codeOf(() => noteSigner(name, testSigner(1)))).toBe('key-invalid')
  })

  // The first is in \s of the language and not a Unicode space; the second is one to people alone.
  it.each([0xfeff, 0x200b])('allows %i in a name, which is no Unicode space', (code) => {
    const signer = noteSigner(`a${String.fromCharCode(code)}b`, testSigner(1))
    expect(openNote(formatNote(text, [signer.sign(text)]), [signer.key]).verified).toHaveLength(1)
  })

  it('takes 64 signatures and 256 KiB, and no more', () => {
    const lines = Array.from({ length: 64 }, (_, i) => lineOf(`k${i}`, new Uint8Array(68)))
    expect(parseNote(formatNote(text, lines)).signatures).toHaveLength(64)
    const fill = 256 * 1024 - `\n\n${good}\n`.length - 2 // the dash has three bytes
    const largest = formatNote(`${'x'.repeat(fill)}\n`, [good])
    expect(utf8Bytes(largest)).toHaveLength(256 * 1024)
    expect(codeOf(() => parseNote(largest))).toBe('accepted')
    expect(codeOf(() => parseNote(`x${largest}`))).toBe('input-too-large')
    expect(codeOf(() => parseNote(utf8Bytes(`x${largest}`)))).toBe('input-too-large')
  })

  it('refuses a byte order mark and what is not UTF-8', () => {
    expect(codeOf(() => parseNote(`\ufeff${note}`))).toBe('utf8-invalid')
    expect(codeOf(() => parseNote(`\ud800${note}`))).toBe('utf8-invalid')
    expect(codeOf(() => parseNote(Buffer.concat([Buffer.of(0xff), utf8Bytes(note)])))).toBe('utf8-invalid')
  })

  it('puts together only what parses to the same', () => {
    expect(codeOf(() => formatNote('no line feed', [good]))).toBe('note-malformed')
    expect(codeOf(() => formatNote(text, []))).toBe('note-malformed')
    expect(codeOf(() => formatNote(text, ['not a line']))).toBe('note-malformed')
    expect(codeOf(() => formatNote(text, [`${good}\n${good}`]))).toBe('note-malformed')
    expect(codeOf(() => formatNote(text, [`more text\n\n${good}`]))).toBe('note-malformed')
  })

  it('signs only what can be a note', () => {
    for (const bad of ['', 'no line feed', 'tab\t\n', 'cr\r\n', '\ud800\n', 'cosignature/v1\ntime 0\nx\n']) {
      expect(codeOf(() => alice.sign(bad))).toBe('note-malformed')
    }
  })

  it('opens what was signed, whatever the text', () => {
    const plain = fc
      .string({ unit: 'binary', maxLength: 80 })
      .filter((s) => !/[\u0000-\u0009\u000b-\u001f\ufeff]/.test(s))
    fc.assert(
      fc.property(plain, (body) => {
        const signed = `${body}\n`
        expect(openNote(formatNote(signed, [alice.sign(signed)]), [alice.key]).text).toBe(signed)
      }),
    )
  })

  it('never opens a note with inserted, removed or replaced bytes as another text', () => {
    const bytes = utf8Bytes(note)
    const edit = fc.tuple(fc.nat({ max: bytes.length }), fc.nat({ max: 3 }), fc.uint8Array({ maxLength: 3 }))
    fc.assert(
      fc.property(edit, ([at, removed, inserted]) => {
        const edited = Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)])
        const code = codeOf(() => expect(openNote(edited, [alice.key, bob.key]).text).toBe(text))
        expect([
          'accepted',
          'note-malformed',
          'note-signature-invalid',
          'note-unverified',
          'utf8-invalid',
        ]).toContain(code)
      }),
    )
  })
})

describe('keys as text', () => {
  it('come back from their text', () => {
    for (const type of [1, 4] as const) {
      const vkey = formatVerifierKey('a.example/b', type, testSigner(1).publicKey)
      expect(parseVerifierKey(vkey)).toMatchObject({ name: 'a.example/b', type })
      const { name, publicKey } = parseVerifierKey(vkey)
      expect(formatVerifierKey(name, type, publicKey)).toBe(vkey)
    }
  })

  it('keep a plus in the base64 and refuse one in the name', () => {
    const withPlus = Array.from({ length: 40 }, (_, i) =>
      formatVerifierKey('n', 1, testSigner(i).publicKey),
    ).filter((vkey) => vkey.split('+').length > 3)
    expect(withPlus.length).toBeGreaterThan(0)
    for (const vkey of withPlus) expect(codeOf(() => parseVerifierKey(vkey))).toBe('accepted')
    expect(codeOf(() => formatVerifierKey('a+b', 1, testSigner(1).publicKey))).toBe('key-invalid')
  })

  it('refuse other algorithms, other lengths, upper-case ids and keys that could not be enrolled', () => {
    const make = (type: number, key: Uint8Array): string => {
      const id = noteKeyId('n', type as 1, key)
      return `n+${id.toString(16).padStart(8, '0')}+${encodeBase64(Buffer.concat([Buffer.of(type), key]))}`
    }
    const { publicKey } = testSigner(1)
    expect(codeOf(() => parseVerifierKey(make(1, publicKey)))).toBe('accepted')
    const lowOrder = fromHex('0100000000000000000000000000000000000000000000000000000000000000')
    const bad = [
      make(2, publicKey),
      make(6, publicKey),
      make(255, publicKey),
      make(1, publicKey.subarray(1)),
      make(1, Buffer.concat([publicKey, Buffer.of(0)])),
      make(1, lowOrder),
      make(1, new Uint8Array(32).fill(255)),
      make(1, publicKey).replace(/\+[0-9a-f]{8}\+/, (id) => id.toUpperCase()),
      ` ${make(1, publicKey)}`,
      `${make(1, publicKey)}\n`,
      `n${'x'.repeat(3000)}+00000000+AQ==`,
    ]
    // An id without letters has no upper case: the sixth is then the same key, which this key's is not.
    expect(make(1, publicKey)).toMatch(/\+[0-9]*[a-f]/)
    for (const vkey of bad) expect(codeOf(() => parseVerifierKey(vkey))).toBe('key-invalid')
  })

  it('hold a private key that looks the part', () => {
    const seed = new Uint8Array(32).fill(9)
    const skey = formatPrivateKey('a.example/b', 1, seed)
    expect(skey.startsWith('PRIVATE+KEY+a.example/b+')).toBe(true)
    const { key, signer } = parsePrivateKey(skey)
    expect(toHex(key.publicKey)).toBe(toHex(signerFromSeed(seed).publicKey))
    expect(signer.publicKey).toEqual(key.publicKey)
    const vkey = formatVerifierKey(key.name, key.type, key.publicKey)
    const swapped = skey.slice(0, -44) + formatPrivateKey('a.example/b', 4, seed).slice(-44)
    for (const bad of [
      vkey,
      skey.slice(1),
      `${skey} `,
      skey.replace('/b+', '/c+'),
      swapped,
      'PRIVATE+KEY+',
    ]) {
      expect(codeOf(() => parsePrivateKey(bad))).toBe('key-invalid')
    }
    // A refusal never shows the secret.
    const secret = skey.slice(-20, -4)
    try {
      parsePrivateKey(`${skey} `)
      expect.unreachable()
    } catch (error) {
      expect(JSON.stringify([error, String(error)])).not.toContain(secret)
    }
  })
})

it('reads the text of a note as bytes or text alike', () => {
  expect(parseNote(utf8Bytes(note))).toEqual(parseNote(parseText(utf8Bytes(note))))
})
