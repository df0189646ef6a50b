import { describe, expect, it } from 'vitest'
import {
  cosigner,
  EMPTY_ROOT,
  formatCheckpointBody,
  formatNote,
  noteSigner,
  parseNote,
  randomBytes,
  signerFromSeed,
} from 'countersign/core'
import { cosigned, madeAt } from '../../src/log/timestamp.js'

const newSigner = () => signerFromSeed(randomBytes(32))
const ORIGIN = 'registry.example.com/log'
const NAME = 'registry.example.com/timestamper'
const NOW = 1_760_000_000_123

const timestamper = cosigner(NAME, newSigner())
const body = formatCheckpointBody({ origin: ORIGIN, size: 0, root: EMPTY_ROOT })
const committed = formatNote(body, [noteSigner(ORIGIN, newSigner()).sign(body)])

describe('the time of a publication', () => {
  it('is what the timestamper said, beside the lines of the log and of its witnesses', () => {
    const witness = cosigner('witness.example.com', newSigner()).cosign(body, 1)
    const note = cosigned(committed, [witness], { timestamper }, NOW)
    expect(parseNote(note).signatures.map(({ name }) => name)).toEqual([ORIGIN, 'witness.example.com', NAME])
    expect(parseNote(note).text).toBe(body)
    expect(madeAt(note, { timestamper })).toBe(1_760_000_000_000)
  })

  it('is unknown where it said nothing', () => {
    expect(madeAt(committed, { timestamper })).toBeUndefined()
  })

  it('is nobody else’s, whatever their name', () => {
    const other = cosigner(NAME, newSigner())
    expect(madeAt(cosigned(committed, [], { timestamper: other }, NOW), { timestamper })).toBeUndefined()
    const both = cosigned(committed, [other.cosign(body, 1)], { timestamper }, NOW)
    expect(madeAt(both, { timestamper })).toBe(1_760_000_000_000)
  })

  it('is not that of another tree, or of a line that was changed', () => {
    const note = cosigned(committed, [], { timestamper }, NOW)
    const moved = note.replace(`${ORIGIN}\n0\n`, `${ORIGIN}\n1\n`)
    expect(moved).not.toBe(note)
    expect(madeAt(moved, { timestamper })).toBeUndefined()
    const [line = ''] = parseNote(note)
      .signatures.filter(({ name }) => name === NAME)
      .map((one) => one.line)
    // The key's id stays: past it, every character is part of the time or of the signature.
    const at = line.length - 60
    const changed = line.slice(0, at) + (line[at] === 'A' ? 'B' : 'A') + line.slice(at + 1)
    expect(madeAt(note.replace(line, changed), { timestamper })).toBeUndefined()
  })
})
