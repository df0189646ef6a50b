import { join } from 'node:path'
import type { Config } from '../config.js'

/** Where the SQLite database lies. */
export function databaseFile({ dataDir }: Pick<Config, 'dataDir'>): string {
  return join(dataDir, 'registry.sqlite')
}
