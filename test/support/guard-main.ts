/** The guard as a process of its own, with the host that its configuration file describes. */
import { readFileSync } from 'node:fs'
import { openHost } from '../../client/src/host.js'
import { memoryInProcess } from '../../client/src/memory.js'
import { runGuardProcess } from '../../client/src/proxy/index.js'
import type { Trust } from '../../client/src/trust.js'

export interface GuardConfig {
  readonly registry: string
  readonly trust: Trust
  readonly server: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const { registry, trust, ...launch } = JSON.parse(
  readFileSync(String(process.argv[2]), 'utf8'),
) as GuardConfig
const host = await openHost({ registry, trust, memory: memoryInProcess() })
process.exitCode = await runGuardProcess({ host, ...launch })
