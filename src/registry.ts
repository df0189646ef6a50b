import { mkdir } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Digest } from 'countersign/core'
import { openAuth, type Auth, type AuthOptions } from './auth/auth.js'
import type { Config, Secrets } from './config.js'
import { openDoor, type Door } from './http/door.js'
import { readHostPolicy } from './http/host-policy.js'
import { DEFAULT_LIMITS, type Limits } from './http/limits.js'
import type { LedgerFatal } from './log/errors.js'
import { openKeys, type RegistryKeys } from './log/keys.js'
import { openLedger, type Ledger } from './log/ledger.js'
import { defaultRollbackFile } from './log/rollback.js'
import { openOutside, type OutsideOptions } from './net/open-outside.js'
import type { Outside } from './net/outside.js'
import type { NamespaceIssuer } from './publishers/proofs/issuers.js'
import type { Context } from './publishers/context.js'
import { openProofChecks, type ProofChecks } from './publishers/proofs/schedule.js'
import { openDescriptions } from './publish/describe.js'
import { openJudge } from './judge/thread.js'
import type { Judge } from './judge/judge.js'
import { databasePlace } from './registry/database.js'
import { openRenewal } from './registry/renewal.js'
import { readRootPeople } from './registry/root-people.js'
import { assertImported, assertSiblings, readFacts } from './registry/siblings.js'
import { keepPolicy } from './review/policy.js'
import { openStore, type StoreOptions } from './storage/open.js'
import type { Store } from './storage/store.js'
import { openDeliveries, type Deliveries } from './webhooks/deliver.js'
import { openWebhookKey } from './webhooks/key.js'
import { keepConfiguredWebhook } from './webhooks/webhooks.js'

export interface Registry {
  readonly app: RequestListener
  readonly identity: string
  /** What people compare before they trust: SHA-256 of the text of the first trust root. */
  readonly fingerprint: Digest
  readonly ledger: Ledger
  readonly store: Store
  readonly deliveries: Deliveries
  readonly proofChecks: ProofChecks
  /** What the door is built from: the rooms behind the routes. */
  readonly rooms: { readonly context: Context; readonly auth: Auth }
  /** On the first start only; to be shown once and never logged. */
  readonly oneTimePassword?: string
  /** Before it is closed: it is not ready any more and its streams end, and whatever else comes is answered. */
  drain(): void
  close(): Promise<void>
}

/** What a test or an embedding program may replace. */
export interface Overrides {
  readonly now?: () => number
  readonly limits?: Partial<Limits>
  readonly refreshSeconds?: number
  readonly batchLimit?: number
  /** How long a caller waits for the witnesses before it is told to look again. */
  readonly publishWaitMs?: number
  readonly witnessTimeoutMs?: number
  /** How a PostgreSQL is used, and how long it is waited for. */
  readonly postgres?: StoreOptions['postgres']
  readonly authLimits?: AuthOptions['limits']
  /** How the world beyond is reached: addresses that are not public, another certificate authority. */
  readonly outside?: Omit<OutsideOptions, 'dnsServers'>
  /** Whose claims prove which namespaces; GitHub and GitLab when absent. */
  readonly namespaceIssuers?: readonly NamespaceIssuer[]
  readonly webhookEveryMs?: number
  /** Who judges manifests; a thread of the registry's own when absent. It is closed with the registry. */
  readonly judge?: Judge
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
  const judge = overrides.judge ?? openJudge({ log })
  const opening: Opening = {
    config,
    secrets,
    log,
    overrides,
    judge,
    outside: openOutsideOf(config, overrides),
  }
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const store = await openStore(databasePlace(config, secrets), storeOptions(overrides))
  const { ledger, renewal } = await openLog(store, opening).catch(async (cause: unknown) => {
    await store.close()
    throw cause
  })
  const closeLog = async (): Promise<void> => {
    await judge.close()
    await renewal.close()
    await ledger.close()
    await store.close()
  }
  try {
    const rooms = await openRooms(store, ledger, opening)
    const descriptions = openDescriptions({ store, log })
    const close = async (): Promise<void> => {
      rooms.drain()
      rooms.close()
      await descriptions.close()
      await rooms.deliveries.close()
      await rooms.proofChecks.close()
      await closeLog()
    }
    return { ...rooms, close }
  } catch (cause) {
    await closeLog()
    throw cause
  }
}

function storeOptions({ now, postgres }: Overrides): StoreOptions {
  return { ...(now === undefined ? {} : { now }), ...(postgres === undefined ? {} : { postgres }) }
}

interface Opening {
  readonly judge: Judge
  readonly outside: Outside
  readonly config: SettledConfig
  readonly secrets: Secrets
  readonly log: Logger
  readonly overrides: Overrides
}

async function openLog(store: Store, { config, secrets, log, overrides, outside }: Opening) {
  const { rollbackFile, stateHome } = config
  const { now, refreshSeconds, batchLimit, publishWaitMs, witnessTimeoutMs, onFatal } = overrides
  const people = await readRootPeople(config.rootFile, config.witnessPolicyFile)
  await assertImported(store)
  if (store.isShared) await assertSiblings(store, await readFacts(config, secrets), config)
  const keys = await openLogKeys(config, secrets)
  const ledger = await openLedger({
    store,
    keys,
    outside,
    rollbackFile: rollbackFile ?? defaultRollbackFile(keys.identity, { XDG_STATE_HOME: stateHome }),
    log,
    ...(people === undefined ? {} : { people }),
    ...(now === undefined ? {} : { now }),
    ...(refreshSeconds === undefined ? {} : { refreshSeconds }),
    ...(batchLimit === undefined ? {} : { batchLimit }),
    ...(publishWaitMs === undefined ? {} : { publishWaitMs }),
    ...(witnessTimeoutMs === undefined ? {} : { witnessTimeoutMs }),
    ...(onFatal === undefined ? {} : { onFatal }),
  })
  return { ledger, renewal: openRenewal({ ledger, rootKey: keys.root, now: now ?? Date.now, log }) }
}

function openLogKeys({ dataDir, identity }: SettledConfig, { logKeyFile }: Secrets): Promise<RegistryKeys> {
  return openKeys(join(dataDir, 'keys'), {
    ...(identity === undefined ? {} : { identity }),
    ...(logKeyFile === undefined ? {} : { logKeyFile }),
  })
}

async function openRooms(
  store: Store,
  ledger: Ledger,
  opening: Opening,
): Promise<Omit<Registry, 'close'> & Pick<Door, 'close'>> {
  const { config, secrets, log, overrides } = opening
  const { publicUrl, trustProxy, dataDir } = config
  const context = openContext(store, ledger, opening)
  await keepPolicy(store)
  const auth = await openAuthRoom(context, opening)
  const webhookKey = await openWebhookKey(join(dataDir, 'oauth'))
  await keepConfiguredWebhook(context, secrets.webhookUrl)
  const limits = { ...DEFAULT_LIMITS, ...overrides.limits }
  const { identity, fingerprint } = ledger
  const { oneTimePassword } = auth
  const { metricsToken } = secrets
  return {
    ...openDoor({
      ...{ context, auth, publicUrl, webhookKey, limits, trustProxy, log, metricsToken },
      ...externalOf(config),
      privacy: config.privacy,
      hostPolicy: await readHostPolicy(config.hostPolicyFile, identity),
    }),
    deliveries: openDeliveries({
      ...{ store, outside: context.outside, key: webhookKey, now: context.now, log },
      publishedEnd: () => ledger.publishedEnd(),
      ...(overrides.webhookEveryMs === undefined ? {} : { everyMs: overrides.webhookEveryMs }),
    }),
    proofChecks: openProofChecks({ context, everySeconds: config.proofCheckSeconds, log }),
    ...{ identity, fingerprint, ledger, store, rooms: { context, auth } },
    ...(oneTimePassword === undefined ? {} : { oneTimePassword }),
  }
}

function openOutsideOf({ dnsServers }: SettledConfig, { outside }: Overrides): Outside {
  return openOutside({ ...outside, ...(dnsServers === undefined ? {} : { dnsServers }) })
}

function openContext(store: Store, ledger: Ledger, { config, overrides, outside, judge }: Opening): Context {
  const { keyRecoverySeconds } = config
  const { namespaceIssuers } = overrides
  return {
    ...{ store, ledger, now: overrides.now ?? Date.now },
    ...{ outside, judge },
    ...(keyRecoverySeconds === undefined ? {} : { recoverySeconds: keyRecoverySeconds }),
    ...(namespaceIssuers === undefined ? {} : { namespaceIssuers }),
  }
}

function openAuthRoom({ store, ledger, outside, now }: Context, opening: Opening): Promise<Auth> {
  const { config, log, overrides } = opening
  const { publicUrl, dataDir, dpop, externalIssuer } = config
  const external =
    externalIssuer === undefined
      ? undefined
      : { ...externalIssuer, audience: externalIssuer.audience ?? publicUrl }
  return openAuth({
    ...{ store, outside, now, log, external, issuer: publicUrl, identity: ledger.identity },
    keysDir: join(dataDir, 'oauth'),
    dpopAdmin: dpop === 'admin',
    ...(overrides.authLimits === undefined ? {} : { limits: overrides.authLimits }),
  })
}

/** What programs are told of where people log in. */
function externalOf({ externalIssuer }: SettledConfig) {
  if (externalIssuer === undefined) return {}
  const { url, clientId } = externalIssuer
  return { external: { issuer: url, clientId } }
}
