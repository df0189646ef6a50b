import { basename, join } from 'node:path'
import type { Config, Secrets } from '../../config.js'
import { defaultRollbackFile } from '../../log/rollback.js'
import type { Place } from '../../storage/open.js'
import { databaseFile, databasePlace } from '../database.js'

/** Where everything of a registry lies that a recovery touches. */
export interface RecoveryPlaces {
  readonly dataDir: string
  readonly database: Place
  /** Where SQLite's lies, whichever engine is used. */
  readonly databaseFile: string
  readonly keys: string
  /** Where the new log key is to be, when the operator keeps log keys in a place of their own. */
  readonly logKeyFile?: string
  /** Of this identity. */
  readonly rollbackFile: (identity: string) => string
  /** What a recovery knows of itself between its runs. */
  readonly journal: string
  /** What was there before; nothing is ever deleted. */
  readonly replaced: string
}

export function recoveryPlaces(config: Config, secrets: Secrets): RecoveryPlaces {
  const { dataDir, rollbackFile, stateHome } = config
  const { logKeyFile } = secrets
  return {
    ...{ dataDir, database: databasePlace(config, secrets), databaseFile: databaseFile(config) },
    keys: join(dataDir, 'keys'),
    ...(logKeyFile === undefined ? {} : { logKeyFile }),
    rollbackFile: (identity) => rollbackFile ?? defaultRollbackFile(identity, { XDG_STATE_HOME: stateHome }),
    journal: recoveryFolder(config),
    replaced: join(dataDir, 'replaced'),
  }
}

export function recoveryFolder({ dataDir }: Pick<Config, 'dataDir'>): string {
  return join(dataDir, 'recovery')
}

/** `log`, `log-2`, and so on: names files after a log. */
export function logFileName(origin: string): string {
  return basename(origin)
}
