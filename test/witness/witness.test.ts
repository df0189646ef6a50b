import { describe, expect, it } from 'vitest'
import {
  consistencyProof,
  cosigner,
  EMPTY_ROOT,
  encodeBase64,
  formatCheckpointBody,
  formatNote,
  noteSigner,
  openNote,
  parseVerifierKey,
  sha256HexOfText,
  utf8Bytes,
  verifierKey,
  type VerifierKey,
} from 'countersign/core'
import { WitnessRefusal } from '../../client/src/witness/refusal.js'
import { makeWitness, type WitnessEvent } from '../../client/src/witness/witness.js'
import { codeOf, testSigner } from '../support/tlog.js'
import { readJson, vectors } from '../support/shared.js'
import {
  memoryStore,
  outcome,
  requestOf,
  scriptedLog,
  testWitness,
  WITNESS_NAME,
  WITNESS_SEED,
  type ScriptedLog,
} from './support.js'

const log = scriptedLog('example.com/log')
const forked = scriptedLog('example.com/log', { history: 'two' })
const other = scriptedLog('example.com/other', { seed: 2 })

describe('a log that grows', () => {
  it('is cosigned at each size, and again at the same one', async () => {
    const witness = testWitness([log])
    for (const [old, size] of [
      [0, 5],
      [5, 5],
      [5, 8],
      [8, 256],
      [256, 257],
      [257, 600],
    ] as const) {
      const line = await witness.addCheckpoint(log.request(old, size))
      const { verified } = openNote(log.note(size) + line, [parseVerifierKey(witness.vkey)])
      expect(verified).toHaveLength(1)
    }
    expect(witness.events.map((event) => event.kind === 'cosigned' && event.size)).toEqual([
      5, 8, 256, 257, 600,
    ])
  })

  it('gets a fresh time for an unchanged tree', async () => {
    const witness = testWitness([log])
    const times = []
    for (const old of [0, 5, 5]) {
      const line = await witness.addCheckpoint(log.request(old, 5))
      times.push(openNote(log.note(5) + line, [parseVerifierKey(witness.vkey)]).verified[0]?.timestamp)
    }
    expect(times).toEqual([1_700_000_000, 1_700_000_001, 1_700_000_002])
  })

  it('is not held up by another log, known or not', async () => {
    const witness = testWitness([log, other])
    await witness.addCheckpoint(log.request(0, 300))
    expect(await outcome(witness.addCheckpoint(other.request(0, 3)))).toBe('cosigned')
    expect(await outcome(witness.addCheckpoint(other.request(300, 301)))).toBe('size-conflict')
    expect(await outcome(witness.addCheckpoint(log.request(300, 301)))).toBe('cosigned')
    expect(await outcome(witness.addCheckpoint(scriptedLog('example.com/third').request(0, 1)))).toBe(
      'log-unknown',
    )
  })
})

describe('each check has its code', () => {
  const note = log.note(5)
  const [text = '', line = ''] = note.split('\n\n')
  const body = `${text}\n`
  const rest = log.request(3, 5)
  const proof = consistencyProof(3, 5, log.read).map(encodeBase64)
  const signed = (text: string): string =>
    formatNote(text, [noteSigner(log.origin, testSigner(1)).sign(text)])
  const damaged = (): string => note.replace(/(.)\n$/, (_, last: string) => `${last === 'A' ? 'B' : 'A'}\n`)
  const root = encodeBase64(log.checkpoint(5).root)
  const hash = encodeBase64(EMPTY_ROOT)

  it.each<[string, Uint8Array, string]>([
    // 1: the request
    ['empty', new Uint8Array(), 'request-malformed'],
    ['not UTF-8', Uint8Array.of(0xff, 0xfe), 'request-malformed'],
    ['a byte order mark', utf8Bytes(`\ufeffold 0\n\n${note}`), 'request-malformed'],
    ['no empty line', utf8Bytes('old 0\n'), 'request-malformed'],
    ['no old size', utf8Bytes(`\n\n${note}`), 'request-malformed'],
    ['another word', utf8Bytes(`new 0\n\n${note}`), 'request-malformed'],
    ['a sign', requestOf('-1', [], note), 'request-malformed'],
    ['a leading zero', requestOf('00', [], note), 'request-malformed'],
    ['a hexadecimal size', requestOf('0x3', proof, note), 'request-malformed'],
    ['a size past 2^53 - 1', requestOf('9007199254740992', [], note), 'request-malformed'],
    ['a carriage return', utf8Bytes(`old 0\r\n\r\n${note}`), 'request-malformed'],
    ['a hash that is no base64', requestOf(3, ['!'], note), 'request-malformed'],
    ['a short hash', requestOf(3, ['AAAA'], note), 'request-malformed'],
    ['a hash with pad bits', requestOf(3, [hash.replace('U=', 'V=')], note), 'request-malformed'],
    ['64 hashes', requestOf(3, Array<string>(64).fill(hash), note), 'request-malformed'],
    // 2: which log
    ['another origin', requestOf(0, [], note.replace(log.origin, 'example.com/none')), 'log-unknown'],
    ['no note', requestOf(0, [], ''), 'log-unknown'],
    // 3: the note
    ['no signature line', requestOf(0, [], body), 'note-malformed'],
    ['text behind the signatures', requestOf(0, [], `${note}more\n`), 'note-malformed'],
    ['a control character', requestOf(0, [], note.replace('\n5\n', '\n5\t\n')), 'note-malformed'],
    ['65 signatures', requestOf(0, [], `${body}\n${line.repeat(65)}`), 'note-malformed'],
    ['a damaged signature', requestOf(0, [], damaged()), 'signature-invalid'],
    [
      'a signed text with another size',
      requestOf(0, [], note.replace('\n5\n', '\n6\n')),
      'signature-invalid',
    ],
    [
      'no line of the log',
      requestOf(0, [], formatNote(body, [noteSigner(log.origin, testSigner(9)).sign(body)])),
      'signature-invalid',
    ],
    [
      'a valid line and then a damaged one of another name',
      requestOf(0, [], note + damaged().split('\n\n')[1]!.replace(log.origin, 'x')),
      'cosigned',
    ],
    // 4: the checkpoint
    ['an extension line', requestOf(0, [], signed(`${body}extension\n`)), 'checkpoint-malformed'],
    ['a size in words', requestOf(0, [], signed(`${log.origin}\nfive\n${root}\n`)), 'checkpoint-malformed'],
    ['a leading zero', requestOf(0, [], signed(`${log.origin}\n05\n${root}\n`)), 'checkpoint-malformed'],
    ['a root of 3 bytes', requestOf(0, [], signed(`${log.origin}\n5\nAAAA\n`)), 'checkpoint-malformed'],
    [
      'an empty tree with a root of 3 bytes',
      requestOf(0, [], signed(`${log.origin}\n0\nAAAA\n`)),
      'checkpoint-malformed',
    ],
    [
      'an empty tree with an extension',
      requestOf(0, [], signed(`${log.origin}\n0\n${root}\nx\n`)),
      'checkpoint-malformed',
    ],
    [
      'a tree with the root of the empty one',
      requestOf(0, [], signed(`${log.origin}\n5\n${hash}\n`)),
      'checkpoint-malformed',
    ],
    // 5, 6: sizes
    ['an old size beyond the new', requestOf(6, [], note), 'size-backwards'],
    [
      'an old size beyond a false empty tree',
      requestOf(1, [], signed(`${log.origin}\n0\n${root}\n`)),
      'size-backwards',
    ],
    ['a false empty tree', requestOf(0, [], signed(`${log.origin}\n0\n${root}\n`)), 'empty-root'],
    // 7
    ['not where the witness is', log.request(0, 5), 'size-conflict'],
    ['beyond where the witness is', log.request(4, 5), 'size-conflict'],
    // 8: the proof
    ['no proof', requestOf(3, [], note), 'proof-invalid'],
    ['half a proof', requestOf(3, proof.slice(1), note), 'proof-invalid'],
    ['a hash too many', requestOf(3, [...proof, hash], note), 'proof-invalid'],
    ['another hash', requestOf(3, [hash, ...proof.slice(1)], note), 'proof-invalid'],
    ['a proof for the same tree', requestOf(3, [hash], log.note(3)), 'proof-invalid'],
    ['another tree of the same size', requestOf(3, [], forked.note(3)), 'root-conflict'],
    ['another tree beyond', forked.request(3, 5), 'root-conflict'],
    // and the benign twin of all of them
    ['nothing wrong', rest, 'cosigned'],
  ])('%s', async (name, request, code) => {
    const witness = testWitness([log])
    // Where old is 0 and the check comes after the size, the witness has to know nothing.
    const isFirst = code === 'cosigned' && name !== 'nothing wrong'
    if (!isFirst && code !== 'empty-root') await witness.addCheckpoint(log.request(0, 3))
    expect(await outcome(witness.addCheckpoint(request))).toBe(code)
  })

  it('a first request may not bring a proof', async () => {
    const witness = testWitness([log])
    expect(await outcome(witness.addCheckpoint(requestOf(0, [hash], note)))).toBe('proof-invalid')
  })

  it('and no refusal holds anything that was signed', async () => {
    const witness = testWitness([log])
    await witness.addCheckpoint(log.request(0, 3))
    for (const request of [log.request(0, 5), forked.request(3, 5), requestOf(3, [], note)]) {
      const error = await witness.addCheckpoint(request).catch((error: unknown) => error)
      expect(error).toBeInstanceOf(WitnessRefusal)
      expect(JSON.stringify(error) + String(error)).not.toContain(WITNESS_NAME)
    }
  })
})

describe('size 0', () => {
  it('is cosigned, again, and grown from', async () => {
    const witness = testWitness([log])
    expect(await outcome(witness.addCheckpoint(log.request(0, 0)))).toBe('cosigned')
    expect(await outcome(witness.addCheckpoint(log.request(0, 0)))).toBe('cosigned')
    expect(await outcome(witness.addCheckpoint(log.request(0, 4)))).toBe('cosigned')
    expect(await outcome(witness.addCheckpoint(log.request(0, 0)))).toBe('size-conflict')
    expect(await outcome(witness.addCheckpoint(log.request(4, 0)))).toBe('size-backwards')
  })
})

describe('split view', () => {
  it('a witness signs one of two histories, and keeps both notes of a fork', async () => {
    const witness = testWitness([log])
    const first = await witness.addCheckpoint(log.request(0, 10))
    for (const [old, size] of [
      [0, 10],
      [10, 10],
      [10, 11],
      [10, 300],
    ] as const)
      expect(await outcome(witness.addCheckpoint(forked.request(old, size)))).not.toBe('cosigned')
    const forks = witness.events.filter((event) => event.kind === 'fork')
    expect(forks.map(({ refused }) => refused)).toEqual([forked.note(10), forked.note(11), forked.note(300)])
    expect(forks.every(({ known }) => known === log.note(10) + first)).toBe(true)
    // Both are signed by the log: that is what makes them evidence.
    expect(openNote(forks[0]!.refused, [log.key]).verified).toHaveLength(1)
    expect(openNote(forks[0]!.known, [log.key]).verified).toHaveLength(1)
    expect(await outcome(witness.addCheckpoint(log.request(10, 11)))).toBe('cosigned')
  })

  it('tells a fork once, however often its note is sent', async () => {
    const witness = testWitness([log])
    await witness.addCheckpoint(log.request(0, 10))
    for (let i = 0; i < 5; i++) await outcome(witness.addCheckpoint(forked.request(10, 10)))
    expect(witness.events.filter(({ kind }) => kind === 'fork')).toHaveLength(1)
  })

  it('whichever comes first, of two at once', async () => {
    const witness = testWitness([log])
    const outcomes = await Promise.all(
      [log, forked, log, forked].map((one) => outcome(witness.addCheckpoint(one.request(0, 7)))),
    )
    expect(outcomes).toEqual(['cosigned', 'size-conflict', 'size-conflict', 'size-conflict'])
  })
})

describe('lines of others', () => {
  const own = cosigner(WITNESS_NAME, testSigner(WITNESS_SEED))
  const body = formatCheckpointBody(log.checkpoint(3))
  const honest = own.cosign(body, 1_600_000_000)
  // A line in the witness's name and with its key id, and nothing behind it: a note with it would never open.
  const forgedLine = cosigner(WITNESS_NAME, testSigner(77)).cosign(body, 1)
  const idOf = (line: string): string => line.split(' ')[2]!.slice(0, 5)
  const forged = forgedLine.replace(idOf(forgedLine), idOf(honest))

  it.each([
    ['a forged line in its own name', forged],
    ['an old line of its own', honest],
    ['a line of somebody else', noteSigner('example.com/else', testSigner(5)).sign(body)],
  ])('%s does not get into the state', async (_, line) => {
    const store = memoryStore()
    const witness = testWitness([log], store)
    const answer = await witness.addCheckpoint(requestOf(0, [], log.note(3, [line])))
    expect(answer.split('\n')).toHaveLength(2)
    expect(answer).not.toContain(line)
    expect(store.rows.get(log.origin)?.note).toBe(log.note(3) + answer)
    expect(openNote(store.rows.get(log.origin)!.note, [own.key, log.key]).verified).toHaveLength(2)
    expect(await outcome(witness.addCheckpoint(log.request(3, 5)))).toBe('cosigned')
  })

  it('a forged line before the line of the log', async () => {
    const witness = testWitness([log])
    const note = formatNote(body, [forged, log.note(3).split('\n').at(-2)!])
    expect(await outcome(witness.addCheckpoint(requestOf(0, [], note)))).toBe('cosigned')
    const kept = await witness.checkpoint(sha256HexOfText(log.origin))
    expect(openNote(kept ?? '', [own.key]).verified[0]?.timestamp).toBe(1_700_000_000)
  })

  it('non-zero pad bits are read, and never handed on', async () => {
    const store = memoryStore()
    const witness = testWitness([log], store)
    const note = log.note(3)
    const loose = note.replace(/(.)(=*)\n$/, (_, last: string, pads: string) => {
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
      return `${alphabet[alphabet.indexOf(last) + 1]}${pads}\n`
    })
    expect(loose).not.toBe(note)
    await witness.addCheckpoint(requestOf(0, [], loose))
    expect(store.rows.get(log.origin)?.note.startsWith(note)).toBe(true)
  })
})

describe('two requests that pass the size check together', () => {
  /** Holds back what was read until `count` requests have read it. */
  function meeting(count: number) {
    const store = memoryStore()
    let arrived = 0
    let open: () => void = () => undefined
    const all = new Promise<void>((resolve) => (open = resolve))
    return {
      ...store,
      read: async (origin: string) => {
        const row = await store.read(origin)
        if (++arrived === count) open()
        if (arrived <= count) await all
        return row
      },
    }
  }

  it.each([
    [8, 5],
    [5, 8],
  ])('to sizes %i and %i: the slower one gets a conflict, and nothing goes back', async (first, second) => {
    const store = meeting(2)
    // Two witnesses over one store, as two processes would be; within one it is the same.
    for (const [a, b] of [[testWitness([log], store), testWitness([log], store)]] as const) {
      const answers = [a, b].map((witness, i) =>
        witness.addCheckpoint(log.request(0, i === 0 ? first : second)),
      )
      expect(await Promise.all(answers.map(outcome))).toEqual(['cosigned', 'size-conflict'])
    }
    expect(store.rows.get(log.origin)?.size).toBe(first)
    const slower = await testWitness([log], store)
      .addCheckpoint(log.request(0, second))
      .catch((error: unknown) => error as WitnessRefusal)
    expect(slower).toMatchObject({ code: 'size-conflict', known: first })
  })

  it('with two histories: one is signed', async () => {
    const store = meeting(2)
    const witness = testWitness([log], store)
    const answers = [log, forked].map((one) => outcome(witness.addCheckpoint(one.request(0, 5))))
    expect(await Promise.all(answers)).toEqual(['cosigned', 'size-conflict'])
  })

  it('a growth and a fresh time: the time of the smaller tree is not handed out', async () => {
    const store = meeting(4)
    const witness = testWitness([log], store)
    // Two reads to start with, two more that meet.
    void store.read(log.origin)
    void store.read(log.origin)
    const before = log.checkpoint(5)
    const own = cosigner(WITNESS_NAME, testSigner(WITNESS_SEED))
    const note = log.note(5, [own.cosign(formatCheckpointBody(before), 1)])
    await store.advance(log.origin, undefined, { ...before, note })
    const answers = [witness.addCheckpoint(log.request(5, 9)), witness.addCheckpoint(log.request(5, 5))]
    expect(await Promise.all(answers.map(outcome))).toEqual(['cosigned', 'size-conflict'])
    expect(store.rows.get(log.origin)?.size).toBe(9)
  })
})

describe('a store that fails', () => {
  it('is the end: nothing is signed after an unknown outcome', async () => {
    const store = memoryStore()
    let isBroken = true
    const advance: typeof store.advance = (...args) =>
      isBroken ? Promise.reject(new Error('the disk is gone')) : store.advance(...args)
    const witness = testWitness([log, other], { ...store, advance })
    await expect(witness.addCheckpoint(log.request(0, 5))).rejects.toThrow('the disk is gone')
    isBroken = false
    await expect(witness.addCheckpoint(log.request(0, 5))).rejects.toThrow('the disk is gone')
    await expect(witness.addCheckpoint(other.request(0, 5))).rejects.toThrow('the disk is gone')
    expect(store.rows.size).toBe(0)
  })
})

describe('the list of logs', () => {
  it('can change; what is known of a log stays', async () => {
    const witness = testWitness([log])
    const hash = sha256HexOfText(log.origin)
    await witness.addCheckpoint(log.request(0, 9))
    witness.setLogs([other])
    expect(await outcome(witness.addCheckpoint(log.request(9, 10)))).toBe('log-unknown')
    expect(await witness.checkpoint(hash)).toBeUndefined()
    witness.setLogs([other, log])
    expect(await outcome(witness.addCheckpoint(forked.request(0, 4)))).toBe('size-conflict')
    expect(await witness.checkpoint(hash)).toContain('\n9\n')
    expect(await outcome(witness.addCheckpoint(log.request(9, 10)))).toBe('cosigned')
  })

  const ownKey = testSigner(WITNESS_SEED).publicKey
  it.each([
    ['its own name', [scriptedLog(WITNESS_NAME)]],
    ['its own name as origin', [{ origin: WITNESS_NAME, key: log.key }]],
    ['its own key', [{ origin: 'example.com/x', key: verifierKey('example.com/x', 1, ownKey) }]],
    ['a witness as a log', [{ origin: 'x', key: verifierKey('x', 4, testSigner(3).publicKey) }]],
    ['an origin twice', [log, scriptedLog(log.origin, { seed: 3 })]],
    ['a key twice', [log, scriptedLog('example.com/copy')]],
  ])('refuses %s, and keeps the old list', async (_, logs) => {
    expect(codeOf(() => testWitness(logs))).toBe('policy-malformed')
    const witness = testWitness([log])
    expect(codeOf(() => witness.setLogs(logs))).toBe('policy-malformed')
    expect(await outcome(witness.addCheckpoint(log.request(0, 1)))).toBe('cosigned')
  })
})

const sumdb = vectors('golang+mod/sumdb-checkpoints.json')
describe.skipIf(!sumdb)('a real log whose origin is not the name of its key', () => {
  interface Sumdb {
    vkey: string
    origin: string
    checkpoints: string[]
  }
  const { vkey, origin, checkpoints } = (sumdb ? readJson(sumdb) : { checkpoints: [] }) as Sumdb
  const [older = '', newer = ''] = checkpoints

  it('is cosigned, and does not move without a proof', async () => {
    const witness = testWitness([{ origin, key: parseVerifierKey(vkey) }])
    expect(await outcome(witness.addCheckpoint(requestOf(0, [], older)))).toBe('cosigned')
    expect(await outcome(witness.addCheckpoint(requestOf(30_055_305, [], older)))).toBe('cosigned')
    expect(await outcome(witness.addCheckpoint(requestOf(30_055_305, [], newer)))).toBe('proof-invalid')
    expect(await outcome(witness.addCheckpoint(requestOf(0, [], newer)))).toBe('size-conflict')
  })

  it('is another log under the name of its key', async () => {
    const key = parseVerifierKey(vkey)
    const witness = testWitness([{ origin: key.name, key }])
    expect(await outcome(witness.addCheckpoint(requestOf(0, [], older)))).toBe('log-unknown')
  })
})

describe('the clock of a witness', () => {
  let clock = 0
  const timesOf = (note: string, key: VerifierKey) => openNote(note, [key]).verified[0]?.timestamp

  function open() {
    const own = cosigner(WITNESS_NAME, testSigner(WITNESS_SEED))
    const events: WitnessEvent[] = []
    const witness = makeWitness({
      ...{ cosigner: own, logs: [log, other], store: memoryStore() },
      now: () => clock,
      report: (event) => void events.push(event),
    })
    const sign = async (of: ScriptedLog, old: number, size: number): Promise<number | undefined> =>
      timesOf(of.note(size) + (await witness.addCheckpoint(of.request(old, size))), own.key)
    return { witness, events, sign }
  }

  it('may be set back a little: the times of one log do not go back with it', async () => {
    const { sign } = open()
    clock = 10_000
    expect(await sign(log, 0, 5)).toBe(10_000)
    clock = 9_500
    expect(await sign(log, 5, 5)).toBe(10_000)
    expect(await sign(log, 5, 7)).toBe(10_000)
    expect(await sign(other, 0, 3)).toBe(9_500)
    clock = 10_001
    expect(await sign(log, 7, 7)).toBe(10_001)
  })

  it('that was far ahead, and is right again, signs no time that is far ahead', async () => {
    const { witness, sign, events } = open()
    clock = 1_000_000
    await sign(log, 0, 5)
    clock = 10_000
    for (let i = 0; i < 3; i++)
      expect(await outcome(witness.addCheckpoint(log.request(5, 7)))).toBe('clock-behind')
    expect(await sign(other, 0, 3)).toBe(10_000)
    expect(events.filter(({ kind }) => kind === 'clock-behind')).toHaveLength(1)
    clock = 999_500
    expect(await sign(log, 5, 7)).toBe(1_000_000)
  })
})

it('a log that forks without end leaves the fork of another one to be told', async () => {
  const lie = scriptedLog('example.com/other', { seed: 2, history: 'two' })
  const witness = testWitness([log, other])
  for (const honest of [log, other]) await witness.addCheckpoint(honest.request(0, 10))
  for (let size = 10; size < 120; size++) await outcome(witness.addCheckpoint(forked.request(10, size)))
  await outcome(witness.addCheckpoint(lie.request(10, 10)))
  const origins = witness.events.flatMap((event) => (event.kind === 'fork' ? [event.origin] : []))
  expect(origins).toHaveLength(101)
  expect(origins.at(-1)).toBe(other.origin)
})
