import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parsePolicy } from 'countersign/core'
import { LedgerFatal } from '../../src/log/errors.js'
import { askWitnesses, type Asked } from '../../src/log/witness/ask-witnesses.js'
import { openOutside } from '../../src/net/open-outside.js'
import {
  breaks,
  hangs,
  knows,
  policyOf,
  says,
  startFakeWitness,
  type FakeWitness,
} from '../support/witness.js'
import { plainLog } from '../support/witness-log.js'

// What is asked before the first signature of a start.

const ours = plainLog()
const other = plainLog('forged', 3)

let witnesses: FakeWitness[]
beforeEach(async () => {
  witnesses = await Promise.all(['w1', 'w2'].map((name) => startFakeWitness(name, ours.vkey)))
})
afterEach(async () => {
  await Promise.all(witnesses.map((witness) => witness.close()))
})

const ask = (size: number, timeoutMs = 20_000): Promise<Asked> =>
  askWitnesses({
    outside: openOutside(),
    log: ours.pinned,
    policy: parsePolicy(policyOf(witnesses, 'group g any w1 w2', 'quorum g')),
    tree: ours.tree(size),
    timeoutMs,
  })
const know = (witness: FakeWitness, log: typeof ours, size: number): void => {
  const { root, note } = log.tree(size)
  witness.known = { checkpoint: { origin: log.pinned.origin, size, root }, note }
}

describe('before anything is signed', () => {
  it('witnesses that know our tree say so, by the checkpoint that was signed already', async () => {
    for (const witness of witnesses) know(witness, ours, 5)
    expect(await ask(5)).toEqual({ asked: 2, answered: 2, failures: [] })
    expect(witnesses.map(({ asked }) => asked)).toEqual(
      Array(2).fill([{ old: 5, proof: [], note: ours.tree(5).note }]),
    )
  })

  it('witnesses that know less, or nothing yet, are no reason to stop', async () => {
    know(witnesses[0]!, ours, 3)
    expect(await ask(5)).toEqual({ asked: 2, answered: 2, failures: [] })
  })

  it('a policy without witnesses asks nobody', async () => {
    witnesses.splice(0)
    const policy = parsePolicy('quorum none\n')
    const asked = { outside: openOutside(), log: ours.pinned, policy, tree: ours.tree(5), timeoutMs: 1 }
    expect(await askWitnesses(asked)).toEqual({ asked: 0, answered: 0, failures: [] })
  })

  it('who fails has not answered', async () => {
    witnesses[0]!.script.push(says(404))
    witnesses[1]!.script.push(breaks, breaks, breaks)
    const failures = [
      { witness: 'w1', code: 'unknown-log' },
      { witness: 'w2', code: 'unreachable' },
    ]
    expect(await ask(5)).toEqual({ asked: 2, answered: 0, failures })
  })

  it('who answers with another signature than its own has not answered', async () => {
    witnesses[0]!.script.push(says(200, `${witnesses[1]!.cosign(ours.tree(5).note)}\n`))
    witnesses[1]!.script.push(knows(5))
    const failures = [
      { witness: 'w1', code: 'invalid-cosignature' },
      { witness: 'w2', code: 'conflict' },
    ]
    expect(await ask(5)).toEqual({ asked: 2, answered: 0, failures })
  })

  it('nobody is waited for longer than the time allowed', async () => {
    for (const { script } of witnesses) script.push(hangs)
    expect(await ask(5, 100)).toMatchObject({ answered: 0 })
  })

  it.each<[string, typeof ours, number, number]>([
    ['a larger tree', ours, 8, 8],
    ['a larger tree of another history', other, 8, 8],
    ['another tree of our size', other, 5, 5],
  ])('a witness that knows %s refuses the start, with the proof', async (_, log, size, claimed) => {
    know(witnesses[0]!, ours, 5)
    know(witnesses[1]!, log, size)
    const { rollback } = await ask(5)
    expect(rollback).toBeInstanceOf(LedgerFatal)
    const { note } = log.tree(size)
    const detail = { witness: 'w2', claimed, database: 5, isProved: true, note }
    expect(rollback).toMatchObject({ code: 'rollback', detail })
  })

  it('an empty database is refused like any other', async () => {
    know(witnesses[0]!, ours, 2)
    const { rollback } = await ask(0)
    expect(rollback).toMatchObject({ code: 'rollback', detail: { claimed: 2, database: 0, isProved: true } })
  })

  it.each([
    ['a larger size', knows(8), 8],
    ['another tree', says(422), 5],
    ['another tree, as older witnesses say it', says(409, 'no\n'), 5],
  ])('a witness that claims to know %s and shows nothing refuses it, too', async (_, step, claimed) => {
    know(witnesses[0]!, ours, 5)
    witnesses[1]!.script.push(step)
    const { answered, rollback } = await ask(5)
    expect(answered).toBe(1)
    expect(rollback).toMatchObject({ code: 'rollback', detail: { claimed, database: 5, isProved: false } })
  })

  it('what is proved is told before what is claimed', async () => {
    witnesses[0]!.script.push(knows(9))
    know(witnesses[1]!, ours, 8)
    expect((await ask(5)).rollback).toMatchObject({ detail: { witness: 'w2', isProved: true } })
  })
})
