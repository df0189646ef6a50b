import type { Config, Secrets } from '../config.js'
import { defaultRollbackFile } from '../log/rollback.js'
import { RECOVERY_SECONDS } from '../publishers/enrol.js'
import { CHECK_SECONDS } from '../publishers/proofs/schedule.js'
import { databaseFile } from './database.js'

/** What is in force, defaults included; of secrets only whether they are set. */
export function effectiveConfig(config: Config, secrets: Secrets): object {
  const { listen, identity, stateHome } = config
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host
  return {
    // Port 0 takes a free one: which one, the start says.
    publicUrl: `http://${host}:${listen.port}`,
    identity: 'that of the keys, or made at the first start',
    rollbackFile: defaultRollbackFile(identity ?? 'IDENTITY', { XDG_STATE_HOME: stateHome }),
    externalIssuer: 'none: people log in here',
    dpop: 'optional',
    dnsServers: "the system's",
    keyRecoverySeconds: RECOVERY_SECONDS,
    hostPolicyFile: 'none: hosts are offered no policy',
    proofCheckSeconds: CHECK_SECONDS,
    privacy: 'none: reads need no token',
    ...config,
    database: secrets.databaseUrl === undefined ? { sqlite: databaseFile(config) } : { postgres: 'set' },
    secrets: {
      logKeyFile: said(secrets.logKeyFile),
      databaseUrl: said(secrets.databaseUrl),
      webhookUrl: said(secrets.webhookUrl),
      metricsToken: said(secrets.metricsToken),
    },
  }
}

function said(secret: string | undefined): 'set' | 'not set' {
  return secret === undefined ? 'not set' : 'set'
}
