import { sharedCounter } from './counter.js'
import type { Desk, Queries } from './desk.js'
import { directoryReads } from './directory.js'
import { logReads, STATE, stateOf, type StateRecord } from './log.js'
import type { Pool } from './pool.js'
import { runReading } from './transaction.js'
import type { Watch } from './watch.js'
import type { HeadReads, SharedStore } from '../store.js'

/** How much longer a settled read waits than a silent batch can last. */
const SETTLING_MS = 2500

/** What the processes over one database have in common. */
export function sharedStore(pool: Pool, desk: Desk, watch: Watch): SharedStore {
  return {
    isShared: true,
    watch: (onMoved) => watch.add(onMoved),
    readConsistently: (work) =>
      runReading(pool, (db) => work(headReads(db)), {
        ...{ isolation: 'REPEATABLE READ', access: 'READ ONLY' },
      }),
    // Behind whoever has the row: a batch that is under way, also one whose process is gone, has it until its end.
    readSettledLogState: () =>
      runReading(pool, async (db) => stateOf(await db.get<StateRecord>(`${STATE} FOR SHARE`)), {
        lockMs: pool.settings.idleInTransactionMs + SETTLING_MS,
      }),
    keepFact: async (name, value) => {
      await desk.db.run('INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
        name,
        value,
      ])
      return (await readFact(desk.db, name)) ?? value
    },
    readFact: (name) => readFact(desk.db, name),
    counter: (name, rate) => sharedCounter(desk, name, rate),
  }
}

async function readFact(db: Queries, name: string): Promise<string | undefined> {
  return (await db.get<{ value: string }>('SELECT value FROM facts WHERE name = $1', [name]))?.value
}

function headReads(db: Queries): HeadReads {
  return { ...logReads(db), ...directoryReads(db) }
}
