import {
  memoryInProcess,
  type Host,
  type HostEvent,
  type HostPolicy,
  type Memory,
  type Review,
  type ReviewInput,
  type ServerMemory,
} from 'countersign'
import type { JsonObject, ManifestTool } from 'countersign/core'
import { BLOCK, openWorld, weather, type Draft, type World } from '../support/world.js'

export const SLOT = 'npx weather'
export const MANAGED: HostPolicy = { ...BLOCK, managed: true }
export const PINS: HostPolicy = { ...BLOCK, unknownServers: 'pin' }

export const codes = (review: Review): Record<string, string> =>
  Object.fromEntries(review.withheld.map((one) => [`${one.kind} ${one.name}`, one.code]))
export const allowed = (review: Review): string[] => review.allowed.map((one) => one.name).sort()

/** A memory that counts what is written to it. */
export function countingMemory(): Memory & { readonly writes: () => number } {
  const memory = memoryInProcess()
  let writes = 0
  return {
    ...memory,
    updateServer: (key, change) =>
      memory.updateServer(key, (old) => {
        const next = change(old)
        if (next !== old) writes += 1
        return next
      }),
    writeBlob: (...given) => {
      writes += 1
      return memory.writeBlob(...given)
    },
    writes: () => writes,
  }
}

/** A host whose every review is a restart, on one memory; events of all of them. */
export function restarting(world: World, policy: HostPolicy = BLOCK, memory = countingMemory()) {
  const events: HostEvent[] = []
  const open = (): Promise<Host> => world.host({ memory, policy, onEvent: (event) => events.push(event) })
  return {
    memory,
    events,
    open,
    review: async (input: Partial<ReviewInput>): Promise<Review> =>
      (await open()).review({ slot: SLOT, tools: [], ...input }),
    waiting: async () => (await open()).waiting(),
    answer: async (decision: 'agreed' | 'refused') => {
      const host = await open()
      const waiting = await host.waiting()
      for (const { id } of waiting) await host.consent(id, decision)
      return waiting
    },
    told: (type: HostEvent['type']) => events.filter((event) => event.type === type),
    kept: (server: string): Promise<ServerMemory | undefined> =>
      memory.readServer({ identity: world.identity, server, slot: SLOT }),
  }
}

/** A draft with these tools. */
export function draft(
  version: string,
  tools: readonly (JsonObject | ManifestTool)[],
  change: Partial<Draft> = {},
): Draft {
  return weather(version, {
    tools: tools.map((one) =>
      'definition' in one && 'permissions' in one
        ? (one as ManifestTool)
        : { definition: one, permissions: [] },
    ),
    prompts: [],
    ...change,
  })
}

/** A world in which one publisher released these drafts. */
export function released(...drafts: readonly Draft[]) {
  const world = openWorld()
  const acme = world.enrol('com.acme')
  return { world, acme, versions: drafts.map((one) => world.release(acme, one)) }
}
