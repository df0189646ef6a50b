import type { Signer } from 'countersign/core'
import { enrol, startVictim, type VictimProcess } from '../../support/crash.js'
import {
  approveManifest,
  bootstrap,
  callerOf,
  expectStatus,
  newKey,
  type Client,
} from '../../support/registry.js'
import { largeEnvelope, SERVERS } from './manifests.js'

/** A registry in a process of its own, whose servers have an approved version each. */
export interface Stage {
  readonly victim: VictimProcess
  readonly client: Client
  readonly identity: string
  readonly key: Signer
  /** The approved manifests. */
  readonly digests: readonly string[]
  token(): Promise<string>
}

export async function openStage(folder: string, settings: Record<string, string> = {}): Promise<Stage> {
  const victim = await startVictim(folder, [], settings)
  const client = await bootstrap(victim.url, 'admin', victim.password ?? '')
  const key = newKey()
  const identity = await enrol(victim.url, client, key)
  const caller = callerOf(victim.url, client)
  const digests: string[] = []
  for (let serial = 0; serial < SERVERS; serial++) {
    const reply = await caller.post('/v1/manifests', largeEnvelope(identity, serial, key))
    const { manifest } = expectStatus(201, reply).body
    await approveManifest(caller, manifest)
    digests.push(manifest)
  }
  return { victim, client, identity, key, digests, token: () => caller.token('registry:publish') }
}
