import { openStore, type Place } from '../open.js'
import type { DumpSource, DumpTarget } from './port.js'
import { hasPostgresTables, openPostgresSource, openPostgresTarget } from './postgres.js'
import { openSqliteSource, openSqliteTarget } from './sqlite.js'

export { hasPostgresTables }

/** Opens a database to be read as a whole, beside whoever uses it. Throws StoreError, or DumpError `export-version`. */
export async function openDumpSource(place: Place): Promise<DumpSource> {
  return place.engine === 'postgres' ? openPostgresSource(place.url) : openSqliteSource(place.file)
}

/** Opens a database to be filled as a whole, and makes its tables. Throws StoreError `locked` or `busy`. */
export async function openDumpTarget(place: Place): Promise<DumpTarget> {
  if (place.engine === 'sqlite') return openSqliteTarget(place.file)
  await (await openStore(place)).close()
  return openPostgresTarget(place.url)
}

/** One transaction on the target: `work`, then COMMIT. */
export async function onDumpTarget(place: Place, work: (target: DumpTarget) => Promise<void>): Promise<void> {
  const target = await openDumpTarget(place)
  try {
    await work(target)
    await target.commit()
  } finally {
    await target.close()
  }
}
