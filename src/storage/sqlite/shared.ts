import { memoryCounter } from '../memory-counter.js'
import type { Desk } from './desk.js'
import type { LogReads, SharedStore } from '../store.js'

/** One process has the database: whatever several would need of it is at hand. */
export function sharedStore(
  { writer, write }: Pick<Desk, 'writer' | 'write'>,
  reads: Parameters<Parameters<SharedStore['readConsistently']>[0]>[0],
): SharedStore {
  const keep = writer.prepare('INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const kept = writer.prepare<[string], { value: string }>('SELECT value FROM facts WHERE name = ?')
  const readSettledLogState: LogReads['readLogState'] = () => reads.readLogState()
  return {
    isShared: false,
    watch: () => () => undefined,
    readConsistently: (work) => work(reads),
    readSettledLogState,
    keepFact: (name, value) =>
      write(() => {
        keep.run(name, value)
        return kept.get(name)?.value ?? value
      }),
    readFact: (name) => Promise.resolve(kept.get(name)?.value),
    counter: (_name, rate) => memoryCounter(rate),
  }
}
