import { mkdir } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Digest } from 'countersign/core'
import { openAuth } from './auth/auth.js'
import type { Config, Secrets } from './config.js'
import { openDoor } from './http/door.js'
import { DEFAULT_LIMITS, type Limits } from './http/limits.js'
import type { LedgerFatal } from './log/errors.js'
import { openKeys } from './log/keys.js'
import { openLedger, type Ledger } from './log/ledger.js'
import { defaultRollbackFile } from './log/rollback.js'
import { keepPolicy } from './review/policy.js'
import { openSqliteStore } from './storage/sqlite.js'
import type { Store } from './storage/store.js'

export { KeyFileError } from './auth/errors.js'

export interface Registry {
  readonly app: RequestListener
  readonly identity: string
  /** What people compare before they trust: SHA-256 of the text of the first trust root. */
  readonly fingerprint: Digest
  readonly ledger: Ledger
  readonly store: Store
  /** On the first start only; to be shown once and never logged. */
  readonly oneTimePassword?: string
  close(): Promise<void>
}

/** What a test or an embedding program may replace. */
export interface Overrides {
  readonly now?: () => number
  readonly limits?: Partial<Limits>
  readonly refreshSeconds?: number
  readonly batchLimit?: number
  /**
   * Told once, when the log has stopped for good: nothing can be written any more, and the process should
   * end.
   */
  readonly onFatal?: (error: LedgerFatal) => void
}

/** A configuration whose public URL is settled: the audience of tokens and the issuer that signs them. */
export type SettledConfig = Config & { readonly publicUrl: string }

/**
 * Opens the rooms from the cellar up: store, log, policy, authorization, door. What fails closes what was
 * open.
 */
export async function openRegistry(
  config: SettledConfig,
  secrets: Secrets,
  log: Logger,
  overrides: Overrides = {},
): Promise<Registry> {
  const opening: Opening = { config, secrets, log, overrides }
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const store = await openSqliteStore(databaseFile(config))
  const ledger = await openLog(store, opening).catch(async (cause: unknown) => {
    await store.close()
    throw cause
  })
  const close = async (): Promise<void> => {
    await ledger.close()
    await store.close()
  }
  try {
    return { ...(await openRooms(store, ledger, opening)), close }
  } catch (cause) {
    await close()
    throw cause
  }
}

interface Opening {
  readonly config: SettledConfig
  readonly secrets: Secrets
  readonly log: Logger
  readonly overrides: Overrides
}

async function openLog(store: Store, { config, secrets, log, overrides }: Opening): Promise<Ledger> {
  const { identity, rollbackFile, stateHome } = config
  const { now, refreshSeconds, batchLimit, onFatal } = overrides
  const keys = await openKeys(join(config.dataDir, 'keys'), {
    ...(identity === undefined ? {} : { identity }),
    ...(secrets.logKeyFile === undefined ? {} : { logKeyFile: secrets.logKeyFile }),
  })
  return openLedger({
    store,
    keys,
    rollbackFile: rollbackFile ?? defaultRollbackFile(keys.identity, { XDG_STATE_HOME: stateHome }),
    log,
    ...(now === undefined ? {} : { now }),
    ...(refreshSeconds === undefined ? {} : { refreshSeconds }),
    ...(batchLimit === undefined ? {} : { batchLimit }),
    ...(onFatal === undefined ? {} : { onFatal }),
  })
}

async function openRooms(
  store: Store,
  ledger: Ledger,
  { config, log, overrides }: Opening,
): Promise<Omit<Registry, 'close'>> {
  const { publicUrl, trustProxy, dataDir } = config
  await keepPolicy(store)
  const auth = await openAuth({
    store,
    issuer: publicUrl,
    keysDir: join(dataDir, 'oauth'),
    log,
  })
  const context = { store, ledger, now: overrides.now ?? Date.now }
  const limits = { ...DEFAULT_LIMITS, ...overrides.limits }
  const { identity, fingerprint } = ledger
  const { oneTimePassword } = auth
  return {
    app: openDoor({ context, auth, publicUrl, limits, trustProxy, log }),
    ...{ identity, fingerprint, ledger, store },
    ...(oneTimePassword === undefined ? {} : { oneTimePassword }),
  }
}

export function databaseFile(config: Config): string {
  return join(config.dataDir, 'registry.sqlite')
}
