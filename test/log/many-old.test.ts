import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { emptyState, signCheckpoint } from '../../src/log/head.js'
import { newKey, openKeys, successorOrigin, writeKey } from '../../src/log/keys.js'
import { utf8Bytes } from 'countersign/core'
import { StoreError } from '../../src/storage/errors.js'
import type { Store } from '../../src/storage/store.js'
import { openFleet, type Fleet, type FleetEngine, type Member, type MemberOptions } from '../support/fleet.js'
import { plainCandidate } from '../support/ledger.js'

// A process that was stopped between any two steps wakes up hours later and goes on with what it knew then.

const ENGINES: readonly FleetEngine[] = ['postgres', 'double']

/** What the engine has no part in is proved with the one that really is shared. */
const onPostgres = (engine: FleetEngine, name: string, test: () => Promise<void>): void => {
  if (engine === 'postgres') it(name, test)
}

let fleet: Fleet
afterEach(() => fleet.remove())

/** A member whose store can be made to wait, or to be away, at one of its methods. */
async function startSleeper(
  options: MemberOptions = { publishWaitMs: 1 },
): Promise<{ member: Member; instead: Partial<Store> }> {
  const instead: Partial<Store> = {}
  const wrap = (store: Store): Store =>
    new Proxy(store, {
      get: (_, name): unknown => Reflect.get(instead, name) ?? Reflect.get(store, name),
    })
  return { member: await fleet.start({ ...options, wrap }), instead }
}

function gate(): {
  readonly open: () => void
  readonly opened: Promise<void>
  readonly reached: Promise<void>
  readonly reach: () => void
} {
  let open = (): void => undefined
  let reach = (): void => undefined
  const opened = new Promise<void>((resolve) => (open = resolve))
  const reached = new Promise<void>((resolve) => (reach = resolve))
  return { open, opened, reached, reach }
}

describe.each(ENGINES)('a process that wakes up late: %s', (engine) => {
  let other: Member
  let insteadOfOther: Partial<Store>
  beforeEach(async () => {
    fleet = await openFleet(engine)
    const started = await startSleeper({ refreshSeconds: 3600 })
    ;({ member: other, instead: insteadOfOther } = started)
  })

  it('puts no older cosignatures in the place of younger ones', async () => {
    let seconds = 1_900_000_000
    const now = (): number => seconds++ * 1000
    const young = await fleet.start({ now, refreshSeconds: 0.05 })
    const { member, instead } = await startSleeper()
    const { open, opened, reached, reach } = gate()
    instead.publishCheckpoint = async (...published) => {
      delete instead.publishCheckpoint
      reach()
      await opened
      return member.store.publishCheckpoint(...published)
    }
    const { size } = await member.ledger.submit(plainCandidate(1))
    await reached
    // Somebody else publishes the same tree meanwhile, again and again, and then dies.
    await expect.poll(async () => (await other.store.readLogState())?.publishedSize).toBe(size)
    await young.stop()
    const published = (await other.store.readLogState())!.publishedNote
    open()
    await expect.poll(() => member.ledger.publishedSize()).toBe(size)
    await member.ledger.sync()
    expect((await other.store.readLogState())!.publishedNote).toBe(published)
    expect(member.ledger.publishedNote()).toBe(published)
  })

  onPostgres(engine, 'cosigns again what was old already when it found it', async () => {
    const late = await fleet.start({ now: () => Date.now() - 2 * 3_600_000, refreshSeconds: 7200 })
    const { open, opened } = gate()
    // Where the old one takes long, this one would come before it, and publish what is young.
    insteadOfOther.publishCheckpoint = async (...published) => {
      await opened
      return other.store.publishCheckpoint(...published)
    }
    await late.ledger.submit(plainCandidate(1))
    const { publishedNote } = (await other.store.readLogState())!
    await late.stop()
    delete insteadOfOther.publishCheckpoint
    open()
    await expect.poll(async () => (await other.store.readLogState())?.publishedNote).not.toBe(publishedNote)
  })

  onPostgres(engine, 'takes in a head that could not be remembered at first', async () => {
    const { member, instead } = await startSleeper()
    const dying = await fleet.start({
      wrap: (store) => ({ ...store, publishCheckpoint: () => Promise.reject(new Error('gone')) }),
      publishWaitMs: 1,
    })
    instead.readCheckpoint = () => Promise.reject(new StoreError('unavailable', 'the connection broke'))
    const { size } = await dying.ledger.submit(plainCandidate(1))
    await dying.stop()
    await expect(member.ledger.sync()).rejects.toMatchObject({ code: 'unavailable' })
    delete instead.readCheckpoint
    await member.ledger.sync()
    expect(member.ledger.committed().size).toBe(size)
  })

  it('is stopped by what was proved to another machine, and so is who starts there', async () => {
    const own = { rollbackFile: `${fleet.folder}/own/registry.rollback` }
    const far = await fleet.start(own)
    const { size } = await other.ledger.submit(plainCandidate(1))
    const thief = signCheckpoint(fleet.keys, size, utf8Bytes('x'.repeat(32)))
    await expect(other.ledger.seen(utf8Bytes(thief))).rejects.toMatchObject({ code: 'log-forked' })
    await expect.poll(() => far.ledger.stopped()?.code).toBe('rollback')
    await expect(far.ledger.submit(plainCandidate(2))).rejects.toMatchObject({ code: 'rollback' })
    const elsewhere = { rollbackFile: `${fleet.folder}/elsewhere/registry.rollback` }
    await expect(fleet.start(elsewhere)).rejects.toMatchObject({
      code: 'rollback',
      detail: { fact: `halted:${fleet.keys.origin}`, reported: size },
    })
  })

  onPostgres(engine, 'goes on where the database holds what was taken for another history', async () => {
    const { note } = other.ledger.committed()
    await other.store.keepFact(`halted:${fleet.keys.origin}`, note)
    const far = await fleet.start({ rollbackFile: `${fleet.folder}/own/registry.rollback` })
    await far.ledger.submit(plainCandidate(1))
    await expect.poll(() => other.ledger.publishedSize()).toBe(4)
    expect([far.ledger.stopped(), other.ledger.stopped()]).toEqual([undefined, undefined])
  })

  onPostgres(engine, 'takes no checkpoint of its log for a fork of the one that follows', async () => {
    const { member, instead } = await startSleeper()
    await member.ledger.submit(plainCandidate(1))
    const { note } = member.ledger.committed()
    instead.readLogState = () => Promise.reject(new StoreError('unavailable', 'the connection broke'))
    const next = successorOrigin(fleet.keys.origin)
    const file = `${fleet.folder}/log-2.key`
    await writeKey(file, newKey(next))
    const keys = await openKeys(`${fleet.folder}/keys`, { logKeyFile: file })
    const { base, size } = (await other.store.readLogState())!
    await other.store.commitBatch(async (tx) => tx.succeed(emptyState(keys, base + size)))
    instead.readLogState = () => member.store.readLogState()
    await expect(member.ledger.seen(Buffer.from(note))).rejects.toMatchObject({ code: 'log-succeeded' })
  })
})
