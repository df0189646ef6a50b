import { EMPTY_SERVER_MEMORY, type ServerMemory } from '../memory.js'
import type { Anchor } from '../resolve.js'
import { acceptVersion } from './accept.js'
import { tellChanged } from './consent.js'
import { keepManifest } from './contents.js'
import type { Judgements } from './items.js'
import type { Standing } from './standing.js'
import type { ReviewInput, ReviewPorts } from './types.js'

/**
 * PROTOCOL 10.11: what was accepted raises the floor; that a manifest was verified here is never forgotten. False, and
 * nothing is accepted, when another process accepted something since this one looked: what was judged by is outdated.
 */
export async function rememberServer(
  input: ReviewInput,
  anchor: Anchor,
  standing: Standing,
  judged: Judgements,
  accept: boolean,
  ports: ReviewPorts,
): Promise<boolean> {
  const { memory, identity, now } = ports
  const { verified, settled, remembered } = anchor
  const { server } = verified
  await rememberSlot(input, server, ports)
  if (!settled || !accept) return true
  const clock = Math.floor(now() / 1000)
  const next = acceptVersion(remembered, verified, judged.held, clock)
  if (next === remembered) return true
  // Before it is in use: the next version is compared with it.
  if (!isAccepted(remembered, verified.digest)) await keepManifest(ports, verified.digest, verified.manifest)
  const at: { isOvertaken?: boolean } = {}
  await memory.updateServer({ identity, server, slot: input.slot }, (old) => {
    at.isOvertaken = acceptedText(old) !== acceptedText(remembered)
    return at.isOvertaken ? old : acceptVersion(old ?? EMPTY_SERVER_MEMORY, verified, judged.held, clock)
  })
  if (at.isOvertaken === true) return false
  ports.neighbours.clear()
  if (standing.kind !== 'changed' || isAccepted(remembered, verified.digest)) return true
  const { version, digest: manifest } = verified
  const about = { slot: input.slot, server, reason: 'changed' as const, from: standing.from }
  tellChanged(ports, { ...about, to: { version, manifest } }, standing.compared.comparison, standing.reaction)
  return true
}

function isAccepted({ accepted }: ServerMemory, digest: string): boolean {
  return accepted.some(({ manifest }) => manifest === digest)
}

function acceptedText(memory: ServerMemory | undefined): string {
  return JSON.stringify((memory?.accepted ?? []).map(({ manifest, signed }) => [manifest, signed?.index]))
}

async function rememberSlot(
  { slot }: ReviewInput,
  server: string,
  { memory, identity }: ReviewPorts,
): Promise<void> {
  const key = { identity, server: '', slot }
  const kept = await memory.readServer(key)
  if (kept?.resolved === server) return
  await memory.updateServer(key, (old) => ({ ...(old ?? EMPTY_SERVER_MEMORY), resolved: server }))
}
