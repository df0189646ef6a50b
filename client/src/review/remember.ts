import { EMPTY_SERVER_MEMORY, type ServerMemory } from '../memory.js'
import type { Anchor } from '../resolve.js'
import type { VerifiedManifest } from '../verify.js'
import { acceptVersion, useVersion } from './accept.js'
import { tellChanged } from './consent.js'
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
  const { verified, remembered } = anchor
  const { server } = verified
  await rememberSlot(input, server, ports)
  if (!accept) return true
  if (!anchor.settled) return judged.held.length === 0 || rememberUse(input, anchor, standing, ports)
  const clock = Math.floor(now() / 1000)
  const next = acceptVersion(remembered, verified, judged.held, clock)
  if (next === remembered) return true
  const at: { isOvertaken?: boolean } = {}
  await memory.updateServer({ identity, server, slot: input.slot }, (old) => {
    at.isOvertaken = acceptedText(old) !== acceptedText(remembered)
    return at.isOvertaken ? old : acceptVersion(old ?? EMPTY_SERVER_MEMORY, verified, judged.held, clock)
  })
  if (at.isOvertaken === true) return false
  ports.neighbours.clear()
  if (!isAccepted(remembered, verified.digest)) tellStep(input, verified, standing, ports)
  return true
}

/**
 * A server decides itself whether its list holds together: with an item more that nobody signed, nothing would ever be
 * accepted, and every version would be the first one.
 */
async function rememberUse(
  input: ReviewInput,
  { verified, remembered }: Anchor,
  standing: Standing,
  ports: ReviewPorts,
): Promise<boolean> {
  const clock = Math.floor(ports.now() / 1000)
  if (useVersion(remembered, verified, clock) === remembered) return true
  const key = { identity: ports.identity, server: verified.server, slot: input.slot }
  const at: { isOvertaken?: boolean } = {}
  await ports.memory.updateServer(key, (old) => {
    at.isOvertaken = acceptedText(old) !== acceptedText(remembered)
    return at.isOvertaken ? old : useVersion(old ?? EMPTY_SERVER_MEMORY, verified, clock)
  })
  if (at.isOvertaken === true) return false
  ports.neighbours.clear()
  tellStep(input, verified, standing, ports)
  return true
}

function tellStep(
  { slot }: ReviewInput,
  { server, version, digest: manifest }: VerifiedManifest,
  standing: Standing,
  ports: ReviewPorts,
): void {
  if (standing.kind !== 'changed') return
  const { from, compared, reaction } = standing
  const about = { slot, server, reason: 'changed' as const, from, to: { version, manifest } }
  tellChanged(ports, about, compared.comparison, reaction)
}

function isAccepted({ accepted }: ServerMemory, digest: string): boolean {
  return accepted.some(({ manifest }) => manifest === digest)
}

function acceptedText(memory: ServerMemory | undefined): string {
  const { accepted = [], used = [] } = memory ?? {}
  const textsOf = (known: ServerMemory['accepted']): unknown =>
    known.map(({ manifest, signed }) => [manifest, signed?.index])
  return JSON.stringify([textsOf(accepted), textsOf(used)])
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
