import { setImmediate as immediate, setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseEvent, utf8Bytes } from 'countersign/core'
import { checkLog } from '../../src/log/fsck.js'
import { emptyState, signCheckpoint } from '../../src/log/head.js'
import { newKey, writeKey, openKeys, successorOrigin } from '../../src/log/keys.js'
import { StoreError } from '../../src/storage/errors.js'
import type { BatchTx, Store } from '../../src/storage/store.js'
import { openFleet, type Fleet, type Member } from '../support/fleet.js'
import { plainCandidate } from '../support/ledger.js'
import { makeDatabase } from '../support/postgres.js'
import { openPatient, WAITING } from '../storage/postgres-support.js'

// One of two processes loses its database at every step of a batch, while the other one goes on. Whatever the first one
// is told, it never says what is not so, and both go on with one history.

let fleet: Fleet
let other: Member
beforeEach(async () => {
  fleet = await openFleet('postgres')
  other = await fleet.start()
})
afterEach(() => fleet.remove())

type Work<T> = (tx: BatchTx) => Promise<T>
/** Strikes the next batch. */
type Fault = <T>(store: Store, work: Work<T>) => Promise<T>

interface Hurt {
  readonly member: Member
  readonly next: (fault: Fault) => void
  /** Put in place of what it reads, until it is taken away. */
  readonly instead: Partial<Store>
}

async function startHurt(): Promise<Hurt> {
  let fault: Fault | undefined
  const instead: Partial<Store> = {}
  const wrap = (store: Store): Store => ({
    ...store,
    commitBatch: <T>(work: Work<T>) => {
      const strike = fault
      fault = undefined
      return strike === undefined ? store.commitBatch(work) : strike(store, work)
    },
    readSettledLogState: () => (instead.readSettledLogState ?? store.readSettledLogState)(),
    readLogState: () => (instead.readLogState ?? store.readLogState)(),
    readCheckpoint: (size) => (instead.readCheckpoint ?? store.readCheckpoint)(size),
    publishCheckpoint: (...published) => (instead.publishCheckpoint ?? store.publishCheckpoint)(...published),
  })
  const member = await fleet.start({ wrap })
  return { member, instead, next: (strike) => (fault = strike) }
}

const away = (): never => {
  throw new StoreError('unavailable', 'the connection broke')
}
const unknown = (): never => {
  throw new StoreError('commit-unknown', 'the connection broke')
}
const codeOf = (error: unknown): string => (error as { code?: string }).code ?? String(error)
const outcome = (submission: Promise<unknown>): Promise<unknown> => submission.then(() => 'logged', codeOf)

async function assertOneHistory(members: readonly Member[], names: readonly number[]): Promise<void> {
  await Promise.all(members.map(({ ledger }) => ledger.sync()))
  expect(new Set(members.map(({ ledger }) => ledger.publishedNote())).size).toBe(1)
  const { store } = members[0]!
  expect((await checkLog(store, fleet.keys)).faults).toEqual([])
  const { size } = (await store.readLogState())!
  const logged = (await store.readEntries(0, size)).flatMap((leaf) => {
    const event = parseEvent(leaf)
    return event.t === 'deprecate' ? [event.name] : []
  })
  expect(logged.toSorted()).toEqual(names.map((n) => `com.example/server-${n}`).toSorted())
}

const FAULTS: readonly { readonly name: string; readonly fault: Fault; readonly end: string }[] = [
  { name: 'before the transaction', fault: async () => away(), end: 'not-committed' },
  {
    name: 'while others have the row for too long',
    fault: async () => {
      throw new StoreError('busy', 'batches of other processes took too long')
    },
    end: 'ledger-busy',
  },
  {
    name: 'before the first candidate',
    fault: (store) => store.commitBatch(async () => away()),
    end: 'not-committed',
  },
  {
    name: 'while a candidate writes',
    fault: (store, work) => store.commitBatch((tx) => work({ ...tx, noteAbout: async () => away() })),
    end: 'not-committed',
  },
  {
    name: 'before the compare-and-swap',
    fault: (store, work) => store.commitBatch((tx) => work({ ...tx, append: async () => away() })),
    end: 'not-committed',
  },
  {
    name: 'after the entries',
    fault: (store, work) =>
      store.commitBatch((tx) =>
        work({
          ...tx,
          append: async (batch) => {
            await tx.append(batch)
            away()
          },
        }),
      ),
    end: 'not-committed',
  },
  {
    name: 'at COMMIT, which did not happen',
    fault: (store, work) =>
      store.commitBatch(async (tx) => {
        await work(tx)
        return unknown()
      }),
    end: 'not-committed',
  },
  {
    name: 'at COMMIT, whose answer is lost',
    fault: async (store, work) => {
      await store.commitBatch(work)
      return unknown()
    },
    end: 'logged',
  },
]

describe('a process that loses its connection', () => {
  it('at whichever step', async () => {
    const { member, next } = await startHurt()
    const names: number[] = []
    for (const [i, { name, fault, end }] of FAULTS.entries()) {
      const [one, two, three, four] = [1, 2, 3, 4].map((n) => 10 * i + n) as [number, number, number, number]
      names.push(one, two, three, four)
      await other.ledger.submit(plainCandidate(one))
      next(fault)
      const ended = outcome(member.ledger.submit(plainCandidate(two)))
      await other.ledger.submit(plainCandidate(three))
      expect(await ended, name).toBe(end)
      await member.ledger.submit(plainCandidate(four))
      const again = await member.ledger.submit(plainCandidate(two))
      expect(await member.ledger.submit(plainCandidate(two))).toMatchObject({ index: again.index })
      await assertOneHistory([other, member], names)
    }
  })

  it('is told what became of its batch also when others have gone on since', async () => {
    const { member, next } = await startHurt()
    next(async (store, work) => {
      await store.commitBatch(work)
      for (const n of [2, 3]) await other.ledger.submit(plainCandidate(n))
      return unknown()
    })
    expect(await member.ledger.submit(plainCandidate(1))).toMatchObject({ index: 2, size: 4 })
    await assertOneHistory([other, member], [1, 2, 3])
  })

  it('does not take a COMMIT that is still on its way for one that did not happen', async () => {
    const { member, next } = await startHurt()
    let arrive = (): void => undefined
    const onItsWay = new Promise<void>((resolve) => (arrive = resolve))
    let late: Promise<unknown> = Promise.resolve()
    next(async (store, work) => {
      let isDrafted = (): void => undefined
      const drafted = new Promise<void>((resolve) => (isDrafted = resolve))
      late = store.commitBatch(async (tx) => {
        const result = await work(tx)
        isDrafted()
        await onItsWay
        return result
      })
      await drafted
      return unknown()
    })
    let ended: unknown
    const answered = member.ledger.submit(plainCandidate(1)).then(
      (logged) => (ended = logged),
      (error: unknown) => (ended = codeOf(error)),
    )
    // Nobody can know yet: whoever asked now without waiting would be told that nothing happened.
    await expect.poll(() => fleet.database!.query(WAITING)).not.toHaveLength(0)
    expect(ended).toBeUndefined()
    arrive()
    await late
    await answered
    expect(ended).toMatchObject({ index: 2, size: 4 })
    await assertOneHistory([other, member], [1])
  })

  it('says that it does not know, when the database cannot say it, and goes on when it can', async () => {
    const { member, next, instead } = await startHurt()
    for (const isCommitted of [true, false]) {
      const n = isCommitted ? 1 : 2
      instead.readSettledLogState = async () => away()
      next((store, work) =>
        isCommitted
          ? store.commitBatch(work).then(unknown)
          : store.commitBatch(async (tx) => {
              await work(tx)
              return unknown()
            }),
      )
      expect(await outcome(member.ledger.submit(plainCandidate(n)))).toBe('outcome-unknown')
      delete instead.readSettledLogState
      await other.ledger.submit(plainCandidate(n + 10))
      const { index } = await member.ledger.submit(plainCandidate(n))
      expect(await other.ledger.submit(plainCandidate(n))).toMatchObject({ index })
    }
    await assertOneHistory([other, member], [1, 2, 11, 12])
  })

  it('answers no read as of now while it cannot look, and again when it can', async () => {
    const { member, instead } = await startHurt()
    instead.readLogState = async () => away()
    expect(await outcome(member.ledger.sync())).toBe('unavailable')
    const { size } = await other.ledger.submit(plainCandidate(1))
    delete instead.readLogState
    await member.ledger.sync()
    expect(member.ledger.publishedSize()).toBe(size)
  })

  it('waits with a look that began before it was asked for', async () => {
    const { member, instead } = await startHurt()
    let answer = (): void => undefined
    let asked = 0
    const { store } = member
    const before = await store.readLogState()
    instead.readLogState = async () => {
      asked++
      await new Promise<void>((resolve) => (answer = resolve))
      // What was read before the other one published.
      delete instead.readLogState
      return before
    }
    const early = member.ledger.sync()
    await expect.poll(() => asked).toBe(1)
    const { size } = await other.ledger.submit(plainCandidate(1))
    const late = Promise.all([member.ledger.sync(), member.ledger.sync()])
    answer()
    await early
    await late
    expect(member.ledger.publishedSize()).toBe(size)
  })

  it('loses real connections in the middle, and nothing else', async () => {
    const members = [other, await fleet.start(), await fleet.start()]
    const connected = `FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`
    const ended = new Set<number>()
    const logged = new Map<number, number>()
    const over = new AbortController()
    const killing = (async () => {
      while (!over.signal.aborted) {
        const killed = await fleet.database!.query<{ pid: number }>(
          `SELECT pid, pg_terminate_backend(pid) ${connected}`,
        )
        for (const { pid } of killed) ended.add(pid)
        await wait(40)
      }
      // One whose end was not heard here would still be lent. Once they are gone, what they said last lies ready to be read.
      await expect
        .poll(() => fleet.database!.query(`SELECT pid ${connected} AND pid = ANY($1)`, [[...ended]]))
        .toEqual([])
      await immediate()
    })()
    await Promise.all(
      members.map(async ({ ledger }, lane) => {
        for (let n = 0; n < 8; n++) {
          const name = lane * 100 + n
          const end = await ledger.submit(plainCandidate(name)).catch(codeOf)
          if (typeof end === 'string')
            expect(['not-committed', 'outcome-unknown', 'ledger-busy', 'unavailable']).toContain(end)
          else logged.set(name, end.index)
        }
      }),
    ).finally(() => over.abort())
    await killing
    for (const [name, index] of logged)
      expect(await other.ledger.submit(plainCandidate(name))).toMatchObject({ index })
    await Promise.all(members.map(({ ledger }) => ledger.submit(plainCandidate(1000))))
    await Promise.all(members.map(({ ledger }) => ledger.sync()))
    expect(new Set(members.map(({ ledger }) => ledger.publishedNote())).size).toBe(1)
    expect((await checkLog(other.store, fleet.keys)).faults).toEqual([])
  })
})

describe('a database that holds another history', () => {
  /** A copy of the database as it is now, which then goes another way. */
  async function openCopy(): Promise<{ store: Store; close: () => Promise<void> }> {
    const copy = await makeDatabase()
    const rows = async (table: string) =>
      fleet.database!.query<Record<string, unknown>>(`SELECT * FROM ${table}`)
    const store = await openPatient(copy.url, { connections: 2 })
    for (const table of ['log_state', 'entries', 'tiles', 'checkpoints', 'root_notes', 'latest_about']) {
      for (const row of await rows(table)) {
        const names = Object.keys(row)
        const places = names.map((_, i) => `$${i + 1}`)
        await copy.query(
          `INSERT INTO ${table} (${names.join(', ')}) VALUES (${places.join(', ')})`,
          Object.values(row),
        )
      }
    }
    const close = async (): Promise<void> => {
      await store.close()
      await copy.drop()
    }
    return { store, close }
  }

  /** Every method goes to whichever store it is now. */
  const switchable =
    (now: () => Store) =>
    (store: Store): Store =>
      new Proxy(store, { get: (_, name) => Reflect.get(now(), name) as unknown })

  it.each(['older', 'another'] as const)('stops whoever knows better: an %s one', async (kind) => {
    await other.ledger.submit(plainCandidate(1))
    const copy = await openCopy()
    try {
      const place: { now?: Store } = {}
      const files = { rollbackFile: `${fleet.folder}/own/registry.rollback` }
      const member = await fleet.start({
        ...files,
        wrap: (store) => switchable(() => place.now ?? store)(store),
      })
      await member.ledger.submit(plainCandidate(2))
      if (kind === 'another') {
        const { openLedger } = await import('../../src/log/ledger.js')
        const { silent } = await import('../support/ledger.js')
        const forked = await openLedger({
          ...{ store: copy.store, keys: fleet.keys, log: silent },
          rollbackFile: `${fleet.folder}/forked/registry.rollback`,
        })
        for (const n of [3, 4]) await forked.submit(plainCandidate(n))
        await forked.close()
      }
      const before = await copy.store.readLogState()
      const shown = member.ledger.publishedNote()
      place.now = copy.store
      expect(await outcome(member.ledger.submit(plainCandidate(5)))).toBe('rollback')
      expect(await outcome(member.ledger.sync())).toBe('rollback')
      expect(member.ledger.publishedNote()).toBe(shown)
      expect(await copy.store.readLogState()).toEqual(before)
      expect(member.ledger.stopped()).toMatchObject({ code: 'rollback' })
      await member.stop()
    } finally {
      await copy.close()
    }
  })

  /** Ends the log as recovery does. Returns the origin that goes on. */
  async function endLog(): Promise<string> {
    const next = successorOrigin(fleet.keys.origin)
    const file = `${fleet.folder}/log-2.key`
    await writeKey(file, newKey(next))
    const keys = await openKeys(`${fleet.folder}/keys`, { logKeyFile: file })
    const { base, size } = (await other.store.readLogState())!
    await other.store.commitBatch(async (tx) => tx.succeed(emptyState(keys, base + size)))
    return next
  }

  it('stops whoever still writes a log that was ended', async () => {
    const member = await fleet.start({ rollbackFile: `${fleet.folder}/own/registry.rollback` })
    await other.ledger.submit(plainCandidate(1))
    await member.ledger.sync()
    const next = await endLog()
    expect(await outcome(member.ledger.submit(plainCandidate(2)))).toBe('log-succeeded')
    expect(await outcome(member.ledger.sync())).toBe('log-succeeded')
    expect((await other.store.readLogState())!).toMatchObject({ origin: next, size: 0 })
  })

  it('says that the log was ended, also while what was adopted is being remembered', async () => {
    let onRemember: (() => Promise<unknown>) | undefined
    const wrap = (store: Store): Store => ({
      ...store,
      readCheckpoint: async (size) => {
        const end = onRemember
        onRemember = undefined
        await end?.()
        return store.readCheckpoint(size)
      },
    })
    const member = await fleet.start({ rollbackFile: `${fleet.folder}/own/registry.rollback`, wrap })
    // It is ended when all of it is published: what is not would be lost to whoever waits for it.
    const submitted = other.ledger.submit(plainCandidate(1))
    onRemember = () => submitted.then(endLog)
    await submitted
    expect(await outcome(member.ledger.sync())).toBe('log-succeeded')
    expect(onRemember).toBeUndefined()
    expect(member.ledger.stopped()).toMatchObject({ code: 'log-succeeded' })
  })

  it('is not believed when its published checkpoint is none of ours', async () => {
    const member = await fleet.start()
    await other.ledger.submit(plainCandidate(1))
    await member.ledger.sync()
    const shown = member.ledger.publishedNote()
    const { size } = (await other.store.readLogState())!
    const forged = signCheckpoint(fleet.keys, size, utf8Bytes('x'.repeat(32)))
    await other.store.publishCheckpoint(size, forged)
    expect(['rollback', 'state-invalid']).toContain(await outcome(member.ledger.sync()))
    expect(member.ledger.publishedNote()).toBe(shown)
  })
})
