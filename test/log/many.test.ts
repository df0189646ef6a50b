import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCheckpoint, parseEvent } from 'countersign/core'
import { checkLog } from '../../src/log/fsck.js'
import { openFleet, type Fleet, type FleetEngine, type Member } from '../support/fleet.js'
import { plainCandidate, scriptWitness } from '../support/ledger.js'

// Several ledgers over one database, as processes of one registry are: one history, whoever writes it.

const ENGINES: readonly FleetEngine[] = ['postgres', 'double']

/** What the engine has no part in is proved with the one that really is shared. */
const onPostgres = (engine: FleetEngine, name: string, test: () => Promise<void>): void => {
  if (engine === 'postgres') it(name, test)
}

async function leavesOf({ store }: Member): Promise<string[]> {
  const { size } = (await store.readLogState())!
  const leaves: string[] = []
  for (let from = 0; from < size; from += 1024)
    leaves.push(...(await store.readEntries(from, Math.min(size, from + 1024))))
  expect(leaves).toHaveLength(size)
  return leaves
}

describe.each(ENGINES)('several ledgers over one database: %s', (engine) => {
  let fleet: Fleet
  beforeEach(async () => {
    fleet = await openFleet(engine)
  })
  afterEach(() => fleet.remove())

  const assertOneHistory = async (members: readonly Member[]): Promise<string[]> => {
    await Promise.all(members.map(({ ledger }) => ledger.sync()))
    const notes = new Set(members.map(({ ledger }) => ledger.publishedNote()))
    expect(notes.size).toBe(1)
    const { faults } = await checkLog(members[0]!.store, fleet.keys)
    expect(faults).toEqual([])
    return leavesOf(members[0]!)
  }

  onPostgres(engine, 'begin at once with one trust root', async () => {
    const members = await Promise.all([fleet.start(), fleet.start(), fleet.start()])
    const fingerprints = new Set(members.map(({ ledger }) => ledger.fingerprint))
    expect(fingerprints.size).toBe(1)
    const leaves = await assertOneHistory(members)
    expect(leaves.map((leaf) => parseEvent(leaf).t)).toEqual(['root', 'snapshot'])
  })

  it('give every index once, without a gap, and see each other’s entries', async () => {
    const members = [await fleet.start(), await fleet.start(), await fleet.start()]
    const given = new Map<number, string>()
    await Promise.all(
      members.map(async ({ ledger }, lane) => {
        for (let n = 0; n < 10; n++) {
          const names = [lane * 1000 + 2 * n, lane * 1000 + 2 * n + 1]
          const logged = await Promise.all(names.map((name) => ledger.submit(plainCandidate(name))))
          for (const [i, { index, size, published }] of logged.entries()) {
            expect(given.has(index)).toBe(false)
            expect(published && index < size).toBe(true)
            given.set(index, `com.example/server-${names[i]}`)
          }
        }
      }),
    )
    expect(given.size).toBe(60)
    const leaves = await assertOneHistory(members)
    for (const [index, name] of given) expect(parseEvent(leaves[index]!)).toMatchObject({ name })
  })

  onPostgres(engine, 'log the same thing once, whoever is asked', async () => {
    const members = [await fleet.start(), await fleet.start()]
    const logged = await Promise.all(
      [1, 1, 2, 2].map((n, i) => members[i % 2]!.ledger.submit(plainCandidate(n))),
    )
    expect(logged[0]!.index).toBe(logged[1]!.index)
    expect(logged[2]!.index).toBe(logged[3]!.index)
    expect(new Set(logged.map(({ index }) => index)).size).toBe(2)
    await assertOneHistory(members)
  })

  it('bring the revocations of others forward', async () => {
    const [a, b] = [await fleet.start(), await fleet.start()]
    const line = (n: number): string => `manifest sha256:${String(n).padStart(64, '0')}`
    const change = (n: number, lines: readonly [string, boolean][]) =>
      plainCandidate(n, {
        apply: async (tx, index) => {
          for (const [one, stands] of lines)
            await (stands ? tx.putRevocation(one, index) : tx.deleteRevocation(one))
        },
      })
    await a.ledger.submit(
      change(1, [
        [line(1), true],
        [line(3), true],
      ]),
    )
    await b.ledger.submit(
      change(2, [
        [line(2), true],
        [line(1), false],
      ]),
    )
    await a.ledger.submit(
      change(3, [
        [line(1), true],
        [line(3), false],
      ]),
    )
    await b.ledger.submit(plainCandidate(4))
    const revocations = await a.store.readRevocations()
    expect(revocations).toEqual([line(1), line(2)])
    await Promise.all([a.ledger.sync(), b.ledger.sync()])
    expect(a.ledger.publishedRevocations()).toBe(b.ledger.publishedRevocations())
    const list = await b.ledger.revocationList(
      Buffer.from(b.ledger.publishedRevocations(), 'base64').toString('hex'),
    )
    expect(new TextDecoder().decode(list)).toContain(line(2))
  })

  onPostgres(engine, 'show what another one published, after sync and without it', async () => {
    const [a, b] = [
      await fleet.start(),
      await fleet.start({ wrap: (store) => ({ ...store, watch: () => () => undefined }) }),
    ]
    let calls = 0
    const end = b.ledger.watch(() => calls++)
    const { size } = await a.ledger.submit(plainCandidate(1))
    await b.ledger.sync()
    expect(b.ledger.publishedSize()).toBe(size)
    expect(calls).toBeGreaterThan(0)
    const next = await a.ledger.submit(plainCandidate(2))
    await expect.poll(() => b.ledger.publishedSize()).toBe(next.size)
    end()
    expect(b.ledger.statusDocument()).toEqual(a.ledger.statusDocument())
  })

  it('answer whoever waits for what another one publishes', async () => {
    const witness = scriptWitness()
    const people = { policy: witness.policy }
    const a = await fleet.start({ witnesses: witness, people, publishWaitMs: 50_000 })
    const b = await fleet.start({ witnesses: scriptWitness(), people, publishWaitMs: 50_000 })
    witness.mode = 'down'
    const waiting = a.ledger.submit(plainCandidate(1))
    await expect.poll(() => a.ledger.committed().size).toBe(4)
    const other = await b.ledger.submit(plainCandidate(2))
    expect(other).toMatchObject({ index: 4, published: true })
    expect(await waiting).toMatchObject({ index: 2, published: true })
  })

  onPostgres(engine, 'publish what another one committed and never published', async () => {
    const away = (): Promise<never> => Promise.reject(new Error('gone'))
    const a = await fleet.start()
    const b = await fleet.start()
    const dying = await fleet.start({
      wrap: (store) => ({ ...store, publishCheckpoint: away }),
      publishWaitMs: 1,
    })
    const { index, published } = await dying.ledger.submit(plainCandidate(1))
    expect(published).toBe(false)
    await dying.stop()
    for (const { ledger } of [a, b])
      await expect.poll(() => ledger.isPublished(index), { interval: 50 }).toBe(true)
    await assertOneHistory([a, b])
  })

  onPostgres(engine, 'never show an older checkpoint after a newer one', async () => {
    const members = [await fleet.start({ refreshSeconds: 0.01 }), await fleet.start({ refreshSeconds: 0.01 })]
    const log = { origin: fleet.keys.origin, key: fleet.keys.log.key }
    const seen = members.map(({ ledger }) => {
      const sizes: number[] = []
      ledger.watch(() => sizes.push(openCheckpoint(ledger.publishedNote(), log).checkpoint.size))
      return sizes
    })
    for (let n = 0; n < 16; n++) await members[n % 2]!.ledger.submit(plainCandidate(n))
    for (const sizes of seen) expect(sizes).toEqual(sizes.toSorted((one, other) => one - other))
  })
})
