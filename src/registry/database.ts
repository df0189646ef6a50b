import { join } from 'node:path'
import type { Config, Secrets } from '../config.js'
import type { Place } from '../storage/open.js'

/** Where the SQLite database lies. */
export function databaseFile({ dataDir }: Pick<Config, 'dataDir'>): string {
  return join(dataDir, 'registry.sqlite')
}

/** The database that the settings name. */
export function databasePlace(config: Pick<Config, 'dataDir'>, { databaseUrl }: Secrets): Place {
  return databaseUrl === undefined
    ? { engine: 'sqlite', file: databaseFile(config) }
    : { engine: 'postgres', url: databaseUrl }
}
