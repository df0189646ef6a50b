import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeys, type RegistryKeys } from '../../src/log/keys.js'
import { openLedger, type Ledger } from '../../src/log/ledger.js'
import { openPostgresStore, type PostgresOptions } from '../../src/storage/postgres.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { Store } from '../../src/storage/store.js'
import { PATIENT_MS, silent, type LedgerOverrides } from './ledger.js'
import { makeDatabase, type TestDatabase } from './postgres.js'

/** One of several ledgers over one database, as a process of its own would be. */
export interface Member {
  readonly ledger: Ledger
  /** As it comes from the engine, without what a test put before it. */
  readonly store: Store
  stop(): Promise<void>
}

export interface MemberOptions extends LedgerOverrides {
  readonly postgres?: PostgresOptions
}

/** A database that several ledgers share, in a folder with the keys of all of them. */
export interface Fleet {
  readonly folder: string
  readonly keys: RegistryKeys
  /** Where it is PostgreSQL. */
  readonly database: TestDatabase | undefined
  /** The file of those that name no other one. */
  readonly rollbackFile: string
  start(options?: MemberOptions): Promise<Member>
  /** Stops who still runs, and removes everything. */
  remove(): Promise<void>
}

export type FleetEngine = 'postgres' | 'double'

export async function openFleet(engine: FleetEngine = 'postgres'): Promise<Fleet> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-fleet-'))
  const keys = await openKeys(join(folder, 'keys'))
  const rollbackFile = join(folder, 'state', 'registry.rollback')
  const database = engine === 'postgres' ? await makeDatabase() : undefined
  const double =
    database === undefined ? shareable(await openSqliteStore(join(folder, 'registry.db'))) : undefined
  const members = new Set<Member>()
  const start = async (options: MemberOptions = {}): Promise<Member> => {
    const { wrap = (store: Store): Store => store, postgres, ...overrides } = options
    const store =
      double ??
      (await openPostgresStore(database?.url ?? '', { connections: 4, connectMs: PATIENT_MS, ...postgres }))
    const closeStore = (): Promise<void> => (double === undefined ? store.close() : Promise.resolve())
    const ledger = await openLedger({
      ...{ log: silent, rollbackFile, publishWaitMs: PATIENT_MS, witnessTimeoutMs: PATIENT_MS },
      ...{ ...overrides, store: wrap(store), keys },
    }).catch(async (cause: unknown) => {
      await closeStore()
      throw cause
    })
    const stop = async (): Promise<void> => {
      if (!members.delete(member)) return
      await ledger.close()
      await closeStore()
    }
    const member: Member = { ledger, store, stop }
    members.add(member)
    return member
  }
  const remove = async (): Promise<void> => {
    await Promise.all([...members].map((member) => member.stop()))
    await double?.close()
    await database?.drop()
    rmSync(folder, { recursive: true, force: true })
  }
  return { folder, keys, database, rollbackFile, start, remove }
}

/** A SQLite store that says it is shared: several ledgers of one process use the one there is. */
export function shareable(store: Store): Store {
  const watchers = new Set<() => void>()
  const told = async <T>(done: Promise<T>): Promise<T> => {
    const result = await done
    for (const onMoved of watchers) onMoved()
    return result
  }
  return {
    ...store,
    isShared: true,
    watch: (onMoved) => {
      watchers.add(onMoved)
      return () => void watchers.delete(onMoved)
    },
    // Nobody writes while a batch runs: everything in it is of one state.
    readConsistently: (work) =>
      store.commitBatch((tx) => work({ ...tx, readCheckpoint: (size) => store.readCheckpoint(size) })),
    readSettledLogState: () => store.commitBatch((tx) => tx.readLogState()),
    commitBatch: (work) => told(store.commitBatch(work)),
    publishCheckpoint: (size, note, over) => told(store.publishCheckpoint(size, note, over)),
  }
}
