import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  formatNote,
  formatTrustRootText,
  leafHash,
  openCheckpoint,
  parseEvent,
  parsePolicy,
  parseStatus,
  utf8Bytes,
  verifyInclusion,
  type Status,
} from 'countersign/core'
import { LedgerFatal, type Candidate, type Logged } from '../../src/log/ledger.js'
import { bodyOf } from '../../src/log/root.js'
import type { Witnesses } from '../../src/log/witness/witnesses.js'
import { fsck } from '../support/fsck.js'
import {
  nextRoot,
  plainCandidate,
  scriptWitness,
  startLedger,
  type LedgerFixture,
  type LedgerOverrides,
  type ScriptedWitness,
} from '../support/ledger.js'

let fixture: LedgerFixture
let witness: ScriptedWitness
const options = (): LedgerOverrides => ({
  witnesses: witness,
  people: { policy: witness.policy },
  publishWaitMs: 1,
})

beforeEach(async () => {
  witness = scriptWitness()
  fixture = await startLedger(undefined, options())
})
afterEach(async () => {
  witness.release()
  await fixture.remove()
})

const restart = async (overrides: LedgerOverrides = {}): Promise<void> => {
  await fixture.stop()
  fixture = await startLedger(fixture.folder, { ...options(), ...overrides })
}
const log = () => ({ origin: fixture.keys.origin, key: fixture.keys.log.key })
const submit = (n: number, change: Partial<Candidate> = {}): Promise<Logged> =>
  fixture.ledger.submit(plainCandidate(n, change))
const revoke = (n: number, line: string): Promise<Logged> =>
  submit(n, { apply: (tx, index) => tx.putRevocation(line, index) })
const reinstate = (n: number, line: string): Promise<Logged> =>
  submit(n, { apply: (tx) => tx.deleteRevocation(line) })
const status = (): Status => parseStatus(fixture.ledger.statusDocument())
const published = (size: number) =>
  expect.poll(() => fixture.ledger.publishedSize(), { interval: 10 }).toBe(size)
const denied = (isDenied: boolean) =>
  expect.poll(() => status().denials !== undefined, { interval: 10 }).toBe(isDenied)

describe('while the quorum is late', () => {
  it('gives an index that is committed for good, and shows nothing of it', async () => {
    const before = fixture.ledger.statusDocument()
    witness.mode = 'down'
    expect(await submit(1)).toEqual({ index: 2, size: 4, published: false })
    expect(await submit(1)).toEqual({ index: 2, size: 4, published: false })
    expect(await submit(2)).toEqual({ index: 4, size: 6, published: false })
    const { ledger } = fixture
    expect(ledger.statusDocument()).toBe(before)
    expect([ledger.publishedSize(), ledger.publishedEnd(), ledger.committed().size]).toEqual([2, 2, 6])
    expect([1, 2].map((position) => ledger.isPublished(position))).toEqual([true, false])
    expect(await ledger.tile('tile/entries/000.p/3')).toBeUndefined()
    await expect(ledger.inclusionProof(2, 4)).rejects.toMatchObject({ code: 'out-of-range' })
    await expect(ledger.consistencyProof(2, 4)).rejects.toMatchObject({ code: 'out-of-range' })
    expect(ledger.witnessing()).toMatchObject({ failures: [{ witness: 'w', code: 'unreachable' }] })
    witness.mode = 'cosigns'
    await published(6)
    expect(await submit(1)).toEqual({ index: 2, size: 6, published: true })
    await fsck(fixture)
  })

  it('is answered only when the rollback file knows it', async () => {
    witness.mode = 'down'
    const { size } = await submit(1)
    expect(openCheckpoint(readFileSync(fixture.rollbackFile), log()).checkpoint.size).toBe(size)
    expect(readFileSync(fixture.rollbackFile, 'utf8')).toBe(fixture.ledger.committed().note)
  })

  it('asks for the newest tree, not for each, and sequences on meanwhile', async () => {
    witness.mode = 'held'
    for (const n of [1, 2, 3]) expect(await submit(n)).toMatchObject({ published: false })
    await expect.poll(() => witness.asked.map(({ size }) => size)).toEqual([2, 4])
    witness.release()
    await published(8)
    expect(witness.asked.map(({ size }) => size)).toEqual([2, 4, 8])
    await fsck(fixture)
  })

  it('answers at once, as published, who waits for what becomes published', async () => {
    await restart({ publishWaitMs: 60_000 })
    witness.mode = 'held'
    const first = submit(1)
    await expect.poll(() => fixture.ledger.committed().size).toBe(4)
    const second = submit(2)
    await expect.poll(() => fixture.ledger.committed().size).toBe(6)
    witness.release()
    expect(await Promise.all([first, second])).toEqual([
      { index: 2, size: 4, published: true },
      { index: 4, size: 6, published: true },
    ])
  })

  it('tells who is refused at once', async () => {
    await restart({ publishWaitMs: 60_000 })
    witness.mode = 'held'
    const refused = submit(1, { authorise: () => Promise.reject(new RangeError('no')) })
    await expect(refused).rejects.toBeInstanceOf(RangeError)
  })

  it('lets nobody in while too many wait, and goes on after', async () => {
    await restart({ publishWaitMs: 60_000, unpublishedLimit: 2 })
    witness.mode = 'held'
    const waiting = [submit(1), submit(2)]
    await expect.poll(() => fixture.ledger.committed().size).toBe(5)
    await expect(submit(3)).rejects.toMatchObject({ code: 'ledger-busy' })
    witness.release()
    expect((await Promise.all(waiting)).map((logged) => logged.published)).toEqual([true, true])
    expect(await submit(3)).toMatchObject({ index: 5, published: true })
  })

  it('keeps what it showed over a restart, and publishes the rest when the quorum is back', async () => {
    const note = fixture.ledger.publishedNote()
    witness.mode = 'down'
    await submit(1)
    await restart()
    expect(fixture.ledger.publishedNote()).toBe(note)
    expect([fixture.ledger.publishedSize(), fixture.ledger.committed().size]).toEqual([2, 4])
    witness.mode = 'cosigns'
    await published(4)
    expect(await submit(1)).toEqual({ index: 2, size: 4, published: true })
  })

  it('starts for the first time, shows nothing, and publishes when the quorum is there', async () => {
    await fixture.remove()
    witness = scriptWitness()
    witness.mode = 'down'
    fixture = await startLedger(undefined, options())
    const { ledger } = fixture
    expect([ledger.publishedSize(), ledger.publishedEnd(), ledger.committed().size]).toEqual([0, 0, 2])
    const read = [
      () => ledger.statusDocument(),
      () => ledger.publishedNote(),
      () => ledger.trustRoot(),
      () => ledger.rootNote(1),
    ]
    for (const one of read) expect(one).toThrow(LedgerFatal)
    expect(await ledger.tile('tile/0/000.p/1')).toBeUndefined()
    witness.mode = 'cosigns'
    await published(2)
    expect(ledger.trustRoot().version).toBe(1)
  })

  it('lets who waits go when it closes', async () => {
    await restart({ publishWaitMs: 60_000 })
    witness.mode = 'down'
    const waiting = submit(1)
    await expect.poll(() => fixture.ledger.committed().size).toBe(4)
    await fixture.ledger.close()
    expect(await waiting).toEqual({ index: 2, size: 4, published: false })
  })

  it('stops for good when a witness has seen another tree; who waits is told', async () => {
    const fatal: LedgerFatal[] = []
    await restart({ publishWaitMs: 60_000, onFatal: (error) => void fatal.push(error) })
    const shown = fixture.ledger.publishedNote()
    witness.mode = 'forked'
    await expect(submit(1)).rejects.toMatchObject({ code: 'not-published', cause: { code: 'rollback' } })
    await expect(submit(2)).rejects.toMatchObject({ code: 'rollback' })
    expect(fatal.map(({ code }) => code)).toEqual(['rollback'])
    witness.mode = 'cosigns'
    expect(fixture.ledger.publishedNote()).toBe(shown)
  })
})

describe('denials', () => {
  const line = 'server\0com.example/bad'

  it('are shown at once, proved under the signature of the log alone, until the quorum is there', async () => {
    witness.mode = 'down'
    await revoke(1, line)
    await denied(true)
    const { checkpoint, denials } = status()
    expect(openCheckpoint(checkpoint, log()).checkpoint.size).toBe(2)
    const newest = openCheckpoint(denials!.checkpoint, log())
    expect(newest.note.unverified).toEqual([])
    const { size, root } = newest.checkpoint
    expect(size).toBe(4)
    const { event, proof } = denials!.snapshot
    verifyInclusion(size - 1, size, leafHash(utf8Bytes(event)), [...proof], root)
    const snapshot = parseEvent(event)
    if (snapshot.t !== 'snapshot') throw new Error('no snapshot')
    const list = await fixture.ledger.revocationList(
      Buffer.from(snapshot.revocations, 'base64').toString('hex'),
    )
    expect(new TextDecoder().decode(list)).toBe(`${line}\n`)
    expect(fixture.ledger.committed()).toEqual({ size: 4, note: denials!.checkpoint })
    witness.mode = 'cosigns'
    await published(4)
    expect(status().denials).toBeUndefined()
  })

  it('are not for what denies nothing', async () => {
    witness.mode = 'down'
    await submit(1)
    await restart()
    await submit(2)
    await expect.poll(() => witness.asked.length).toBeGreaterThan(2)
    expect(status().denials).toBeUndefined()
  })

  it('are there again after a restart, and follow the newest tree', async () => {
    witness.mode = 'down'
    await revoke(1, line)
    await restart()
    await denied(true)
    await submit(2)
    await expect
      .poll(() => openCheckpoint(status().denials!.checkpoint, log()).checkpoint.size, { interval: 10 })
      .toBe(6)
    await reinstate(3, line)
    await denied(false)
    await revoke(4, line)
    await denied(true)
  })
})

describe('a new trust root', () => {
  const next = scriptWitness(78)
  const both = (): string => {
    const lines = [witness, next].map(({ policy }, i) =>
      policy.split('\n')[0]!.replace('witness w', `witness w${i}`),
    )
    return `${lines.join('\n')}\ngroup g 2 w0 w1\nquorum g\n`
  }

  it('is logged when its witnesses cosign, served when it is published, and then it decides who must', async () => {
    const note = nextRoot(fixture, { policy: both() })
    const logged = await fixture.ledger.publishRoot(note)
    expect(logged).toMatchObject({ version: 2, index: 2, size: 4 })
    await published(4)
    expect(fixture.ledger.rootNote(2)).toBe(note)
    expect(fixture.ledger.rootNote('latest')).toBe(note)
    expect(fixture.ledger.trustRoot().quorum).toEqual(parsePolicy(both()))
    await fsck(fixture)
  })

  it('is refused when they do not, unless that is wanted', async () => {
    const note = nextRoot(fixture, { policy: both() })
    witness.mode = 'down'
    await expect(fixture.ledger.publishRoot(note)).rejects.toMatchObject({
      ...{ code: 'quorum-not-met', detail: { failed: ['w: unreachable'] } },
    })
    expect(fixture.ledger.committed().size).toBe(2)
    expect(await fixture.ledger.publishRoot(note, { force: true })).toMatchObject({
      ...{ version: 2, index: 2, published: false },
    })
    expect(fixture.ledger.rootNote(2)).toBeUndefined()
    expect(fixture.ledger.rootNote('latest')).toBe(fixture.ledger.rootNote(1))
    await expect(fixture.ledger.publishRoot(note)).rejects.toMatchObject({ code: 'root-conflict' })
    witness.mode = 'cosigns'
    await published(4)
    expect(fixture.ledger.rootNote('latest')).toBe(note)
  })

  it('is refused when it is none', async () => {
    const note = nextRoot(fixture, { policy: both() })
    const wrong = [note.replace('quorum g', 'quorum w0'), 'nonsense', fixture.ledger.publishedNote()]
    for (const one of wrong) {
      await expect(fixture.ledger.publishRoot(one)).rejects.toMatchObject({ code: 'root-invalid' })
    }
    expect(fixture.ledger.committed().size).toBe(2)
  })

  it('is asked for again with the newest tree while others are logged', async () => {
    let isBusy = true
    const busy: Witnesses = {
      cosign: async (tree, policy) => {
        if (!isBusy || policy.witnesses.length < 2) return witness.cosign(tree, policy)
        isBusy = false
        // What was committed meanwhile is what witnesses are asked for: nobody answers for this tree any more.
        await submit(1)
        return { lines: [], cosignatures: [], failures: [], isQuorum: false }
      },
    }
    await restart({ witnesses: busy })
    const logged = await fixture.ledger.publishRoot(nextRoot(fixture, { policy: both() }))
    expect(logged).toMatchObject({ version: 2, index: 4 })
  })

  it('is refused when it names more witnesses than a checkpoint has room for', async () => {
    const { keys, ledger } = fixture
    const naming = (count: number): string => {
      const lines = Array.from({ length: count }, (_, i) =>
        scriptWitness(100 + i)
          .policy.split('\n')[0]!
          .replace('witness w', `witness w${i}`),
      )
      const names = lines.map((__, i) => `w${i}`)
      const policy = `${lines.join('\n')}\ngroup g all ${names.join(' ')}\nquorum g\n`
      const text = formatTrustRootText(keys.identity, 2, { ...bodyOf(ledger.trustRoot()), policy })
      return formatNote(text, [keys.root!.sign(text)])
    }
    await expect(ledger.publishRoot(naming(63), { force: true })).rejects.toMatchObject({
      ...{ code: 'root-invalid', detail: { reason: 'policy-malformed' } },
    })
    expect(await ledger.publishRoot(naming(62), { force: true })).toMatchObject({ version: 2 })
  })
})
