import { readFileSync, rmSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { formatVerifierKey, leafHash, merkleRoot, parseStatus, utf8Bytes } from 'countersign/core'
import { signCheckpoint } from '../../src/log/head.js'
import { LedgerFatal } from '../../src/log/ledger.js'
import type { Witnesses } from '../../src/log/witness/witnesses.js'
import { openOutside } from '../../src/net/open-outside.js'
import {
  nextRoot,
  PATIENT_MS,
  plainCandidate,
  scriptWitness,
  startLedger,
  type LedgerFixture,
  type LedgerOverrides,
} from '../support/ledger.js'
import {
  after,
  hangs,
  knows,
  policyOf,
  says,
  startFakeWitness,
  type FakeWitness,
} from '../support/witness.js'

// What a witness proves is kept, what it only claims is not, and a witness that says nothing holds nobody up.

const SOON = { interval: 10 }
const anotherRoot = merkleRoot([leafHash(utf8Bytes('another history'))])

let fixture: LedgerFixture
let witness: FakeWitness
let vkey: string
beforeEach(async () => {
  fixture = await startLedger()
  const { origin, log } = fixture.keys
  vkey = formatVerifierKey(origin, 1, log.key.publicKey)
  witness = await startFakeWitness('w1', vkey)
})
afterEach(async () => {
  await witness.close()
  await fixture.remove()
})

const policy = (): string => policyOf([witness], 'quorum w1')
const asked = (): LedgerOverrides => ({
  outside: openOutside(),
  publishWaitMs: 1,
  witnessTimeoutMs: PATIENT_MS,
})
const begin = async (overrides: LedgerOverrides = {}): Promise<void> => {
  fixture = await startLedger(fixture.folder, overrides)
}
const restart = async (overrides: LedgerOverrides = {}): Promise<void> => {
  await fixture.stop()
  await begin(overrides)
}
/** From here on its cosignature is needed. */
const ask = async (): Promise<void> => {
  await restart(asked())
  await fixture.ledger.publishRoot(nextRoot(fixture, { policy: policy() }))
  await expect.poll(() => fixture.ledger.publishedSize(), SOON).toBe(4)
}
/** Each start has the newest tree cosigned again: what the witness is to do next would be done for that one. */
const cosignedAgain = (): Promise<void> =>
  expect.poll(() => fixture.ledger.witnessing().at, SOON).toBeDefined()
/** What a thief of the log key would have signed. */
const forged = (size: number): string => signCheckpoint(fixture.keys, size, anotherRoot)
const file = (): string => readFileSync(fixture.rollbackFile, 'utf8')
const refused = async (overrides: LedgerOverrides): Promise<unknown> => {
  const error = await startLedger(fixture.folder, overrides).catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(LedgerFatal)
  return error
}

/** A folder that nothing happened in, for the end of the test. */
const anew = async (): Promise<void> => {
  rmSync(fixture.folder, { recursive: true })
  fixture = await startLedger()
}

describe('another history that a witness proves', () => {
  it('stops the log, also at the next start when the witness is silent', async () => {
    const stopped: LedgerFatal[] = []
    await ask()
    await restart({ ...asked(), publishWaitMs: PATIENT_MS, onFatal: (error) => void stopped.push(error) })
    await cosignedAgain()
    witness.shown = forged(9)
    witness.script.push(knows(9))
    await expect(fixture.ledger.submit(plainCandidate(1))).rejects.toMatchObject({ code: 'not-published' })
    expect(stopped).toMatchObject([{ code: 'rollback', detail: { isProved: true } }])
    await fixture.stop()
    expect(file()).toBe(forged(9))
    witness.isDown = true
    expect(await refused(asked())).toMatchObject({ code: 'rollback', detail: { remembered: 9 } })
    await anew()
  })

  it('is kept although it was found at the start', async () => {
    await ask()
    await fixture.stop()
    witness.shown = forged(9)
    witness.script.push(knows(9))
    expect(await refused(asked())).toMatchObject({ code: 'rollback', detail: { isProved: true } })
    expect(file()).toBe(forged(9))
    witness.isDown = true
    expect(await refused(asked())).toMatchObject({ code: 'rollback', detail: { remembered: 9 } })
    await anew()
  })

  it('is not kept when it is only claimed: the next start asks again', async () => {
    await ask()
    await fixture.stop()
    const kept = file()
    witness.script.push(knows(9))
    expect(await refused(asked())).toMatchObject({ code: 'rollback', detail: { isProved: false } })
    expect(file()).toBe(kept)
    await begin(asked())
    expect(await fixture.ledger.submit(plainCandidate(1))).toMatchObject({ index: 4 })
  })

  it('is none when somebody handed it what we have committed and not yet published', async () => {
    const stopped: LedgerFatal[] = []
    await ask()
    await restart({ ...asked(), onFatal: (error) => void stopped.push(error) })
    await cosignedAgain()
    let release = (): void => undefined
    const released = new Promise<void>((done) => (release = done))
    // It is asked for six entries, and has eight by then: the note of those was public.
    witness.script.push(async (question, response, self) => {
      await released
      self.shown = fixture.ledger.committed().note
      await knows(8)(question, response, self)
    })
    await fixture.ledger.submit(plainCandidate(1))
    await expect.poll(() => witness.script.length, SOON).toBe(0)
    await fixture.ledger.submit(plainCandidate(2))
    expect(fixture.ledger.committed().size).toBe(8)
    release()
    await expect.poll(() => fixture.ledger.publishedSize(), SOON).toBe(8)
    expect(stopped).toEqual([])
  })
})

describe('an empty database', () => {
  /** The keys are there; database and rollback file are lost. */
  const lose = async (): Promise<void> => {
    await fixture.stop()
    for (const end of ['', '-wal', '-shm']) rmSync(fixture.database + end, { force: true })
    rmSync(fixture.rollbackFile, { force: true })
  }
  const first = (): LedgerOverrides => ({ ...asked(), people: { policy: policy() } })
  const begun = async (): Promise<void> => {
    await lose()
    await begin(first())
    await expect.poll(() => fixture.ledger.publishedSize(), SOON).toBe(2)
  }

  it('is not begun a second time when a witness knows the first', async () => {
    await begun()
    const note = fixture.ledger.committed().note
    await lose()
    const error = await refused(first())
    expect(error).toMatchObject({ code: 'rollback', detail: { database: 0, claimed: 2, isProved: true } })
    // Nothing but the empty tree was signed for anybody to see.
    expect(witness.asked.at(-1)?.note).toBe(signCheckpoint(fixture.keys, 0, emptyRoot()))
    expect(file().startsWith(note.trimEnd())).toBe(true)
    witness.isDown = true
    expect(await refused(first())).toMatchObject({ code: 'rollback' })
    rmSync(fixture.rollbackFile)
    witness.isDown = false
    witness.known = undefined
    await begin(first())
  })

  it.each([
    ['knows nothing of it', () => undefined],
    ['does not know the log', () => void witness.script.push(says(404))],
    ['does not cosign an empty tree', () => void witness.script.push(says(422))],
    ['is silent', () => (witness.isDown = true)],
  ])('is begun when its witness %s', async (_, prepare) => {
    await lose()
    prepare()
    await begin(first())
    expect(fixture.ledger.committed().size).toBe(2)
    witness.isDown = false
    await expect.poll(() => fixture.ledger.publishedSize(), SOON).toBe(2)
  })
})

describe('a witness that never answers', () => {
  it('is not waited for when the log closes, and nothing is left that waits', async () => {
    await ask()
    // Longer than a test may take.
    await restart({ ...asked(), witnessTimeoutMs: 600_000 })
    await cosignedAgain()
    witness.script.push(hangs, hangs, hangs)
    const waiting = fixture.ledger.submit(plainCandidate(1))
    await expect.poll(() => witness.script.length, SOON).toBe(2)
    expect(await waiting).toMatchObject({ published: false })
    await fixture.ledger.submit(plainCandidate(2))
    const requests = witness.asked.length
    await fixture.ledger.close()
    expect(witness.asked).toHaveLength(requests)
    witness.script.splice(0)
    await restart(asked())
    expect(fixture.ledger.committed().size).toBe(8)
  })

  it('and one that is just slow is heard', async () => {
    await ask()
    let close = (): void => undefined
    const closing = new Promise<void>((resolve) => (close = resolve))
    witness.script.push(after(closing, vkey))
    await fixture.ledger.submit(plainCandidate(1))
    await expect.poll(() => witness.script.length, SOON).toBe(0)
    // Whoever is slow is waited for a second, and a machine may take longer for less.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const closed = fixture.ledger.close()
    close()
    await closed
    expect(fixture.ledger.publishedSize()).toBe(6)
  })
})

describe('an unchanged tree', () => {
  it('is cosigned again as often as the trust root in force says', async () => {
    let seconds = 1_800_000_000
    await restart({ now: () => seconds++ * 1000 })
    const often = { refreshSeconds: 1, maxSeconds: 60, offlineMaxSeconds: 60 }
    await fixture.ledger.publishRoot(nextRoot(fixture, { freshness: often }))
    const { size, note } = { size: fixture.ledger.publishedSize(), note: fixture.ledger.publishedNote() }
    await expect.poll(() => fixture.ledger.publishedNote() !== note, SOON).toBe(true)
    expect(fixture.ledger.publishedSize()).toBe(size)
  })
})

describe('what a newer tree denies', () => {
  const line = 'server\0com.example/bad'

  it('is shown when the one before it is published, without waiting for a quorum', async () => {
    const script = scriptWitness()
    const turns: (() => void)[] = []
    const mode = { isHeld: false }
    const held: Witnesses = {
      cosign: async (tree, of) => {
        if (of.isNone || !mode.isHeld) return script.cosign(tree, of)
        await new Promise<void>((go) => turns.push(go))
        return script.cosign(tree, of)
      },
    }
    const change = (n: number, isRevoked: boolean) =>
      fixture.ledger.submit(
        plainCandidate(n, {
          apply: (tx, index) => (isRevoked ? tx.putRevocation(line, index) : tx.deleteRevocation(line)),
        }),
      )
    await fixture.remove()
    fixture = await startLedger(undefined, {
      ...{ witnesses: held, people: { policy: script.policy }, publishWaitMs: 1 },
    })
    const denied = () => parseStatus(fixture.ledger.statusDocument()).denials !== undefined
    await change(1, true)
    await expect.poll(() => fixture.ledger.publishedSize(), SOON).toBe(4)
    mode.isHeld = true
    await change(2, false)
    await expect.poll(() => turns.length, SOON).toBe(1)
    await change(3, true)
    turns[0]?.()
    // The reinstatement is published; the newest tree takes it back, and its witness is silent.
    await expect.poll(() => turns.length, SOON).toBe(2)
    expect([fixture.ledger.publishedSize(), denied()]).toEqual([6, true])
    mode.isHeld = false
    turns[1]?.()
  })
})

function emptyRoot(): Uint8Array {
  return merkleRoot([])
}
