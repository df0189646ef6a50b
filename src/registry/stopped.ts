import { join } from 'node:path'
import { pino } from 'pino'
import type { Config, Secrets } from '../config.js'
import { exists, openKeys, type RegistryKeys } from '../log/keys.js'
import { openLedger, type Ledger } from '../log/ledger.js'
import { defaultRollbackFile } from '../log/rollback.js'
import { openOutside } from '../net/open-outside.js'
import type { Outside } from '../net/outside.js'
import type { Store } from '../storage/store.js'
import { databasePlace } from './database.js'
import { OperatorError } from './errors.js'
import { openStopped, openUnlocked } from './recover/source.js'
import { assertImported } from './siblings.js'

/** What commands work with while the registry is stopped. */
export interface StoppedRegistry {
  readonly store: Store
  readonly keys: RegistryKeys
  readonly rollbackFile: string
  close(): Promise<void>
}

export function outsideOf({ dnsServers }: Config): Outside {
  return openOutside(dnsServers === undefined ? {} : { dnsServers })
}

/**
 * Database and keys of a registry that is not running; the database is made where only that is missing and `begins`.
 * Throws OperatorError `running` when it runs, `not-started` where there is none.
 */
export async function openStoppedRegistry(
  config: Config,
  secrets: Secrets,
  begins = false,
): Promise<StoppedRegistry> {
  const folder = join(config.dataDir, 'keys')
  if (!(await exists(folder))) {
    throw new OperatorError('not-started', `there are no keys at ${folder}: see COUNTERSIGN_DATA_DIR`)
  }
  const store = await (begins ? openUnlocked : openStopped)(databasePlace(config, secrets))
  try {
    const keys = await openKeys(folder, keyOptions(config, secrets))
    const rollbackFile =
      config.rollbackFile ?? defaultRollbackFile(keys.identity, { XDG_STATE_HOME: config.stateHome })
    return { store, keys, rollbackFile, close: () => store.close() }
  } catch (cause) {
    await store.close()
    throw cause
  }
}

function keyOptions({ identity }: Config, { logKeyFile }: Secrets) {
  return {
    ...(identity === undefined ? {} : { identity }),
    ...(logKeyFile === undefined ? {} : { logKeyFile }),
  }
}

/** The log of a stopped registry, opened as a start opens it: what refuses there refuses here. */
export async function openStoppedLog(
  config: Config,
  { store, keys, rollbackFile }: StoppedRegistry,
): Promise<Ledger> {
  await assertImported(store)
  const log = pino(
    { level: config.logLevel === 'silent' ? 'silent' : 'warn', base: null },
    pino.destination(2),
  )
  return openLedger({ store, keys, rollbackFile, log, outside: outsideOf(config) })
}
