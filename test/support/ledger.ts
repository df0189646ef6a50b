import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { openLedger, type Candidate, type Ledger, type LedgerOptions } from '../../src/log/ledger.js'
import { openKeys, type RegistryKeys } from '../../src/log/keys.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { Store } from '../../src/storage/store.js'

/** A real ledger over a real database in a folder of its own. */
export interface LedgerFixture {
  readonly folder: string
  readonly database: string
  readonly rollbackFile: string
  readonly keys: RegistryKeys
  readonly store: Store
  readonly ledger: Ledger
  /** Closes ledger and store; the files stay for another start. */
  stop(): Promise<void>
  /** Stops and removes everything. */
  remove(): Promise<void>
}

export type LedgerOverrides = Partial<Omit<LedgerOptions, 'store' | 'keys'>> & {
  /** Puts something between the ledger and the database. */
  readonly wrap?: (store: Store) => Store
}

export const silent = pino({ level: 'silent' })

/** Starts a ledger in `folder`, or in a fresh one; a folder that was used before is opened again. */
export async function startLedger(
  folder = mkdtempSync(join(tmpdir(), 'countersign-ledger-')),
  { wrap = (store) => store, ...overrides }: LedgerOverrides = {},
): Promise<LedgerFixture> {
  const keys = await openKeys(join(folder, 'data', 'keys'))
  const database = join(folder, 'data', 'registry.db')
  const rollbackFile = overrides.rollbackFile ?? join(folder, 'state', `${keys.identity}.rollback`)
  const store = await openSqliteStore(database)
  try {
    const ledger = await openLedger({ log: silent, ...overrides, store: wrap(store), keys, rollbackFile })
    const stop = async (): Promise<void> => {
      await ledger.close()
      await store.close()
    }
    const remove = async (): Promise<void> => {
      await stop()
      rmSync(folder, { recursive: true, force: true })
    }
    return { folder, database, rollbackFile, keys, store, ledger, stop, remove }
  } catch (cause) {
    await store.close()
    throw cause
  }
}

/** Something to log that needs no keys and no manifests: a deprecation of server number `n`. */
export function plainCandidate(n: number, change: Partial<Candidate> = {}): Candidate {
  const name = `com.example/server-${n}`
  return {
    authorise: async () => undefined,
    event: () => ({
      ...{ v: 1, t: 'deprecate', target: 'server', name },
      ...{ reason: 'a test', deciders: ['holder'] },
    }),
    apply: async (tx, index) => tx.noteAbout(`server:${name}`, index),
    ...change,
  }
}
