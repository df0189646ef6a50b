import type { GuardEvent } from '../../client/src/guard/index.js'
import { openHost, type Host, type HostOptions } from '../../client/src/host.js'
import { memoryInProcess, type Memory } from '../../client/src/memory.js'
import type { HostEvent } from '../../client/src/review/events.js'
import { connectGuarded, signedTools, type Guarded, type HostileTarget, type Wire } from './guarded.js'
import {
  BLOCK,
  openWorld,
  weather,
  type Draft,
  type Published,
  type Publisher,
  type World,
  type WorldOptions,
} from './world.js'

/** A registry in memory, one publisher, what it released, and hosts that share one memory. */
export interface AttackWorld {
  readonly world: World
  readonly acme: Publisher
  readonly memory: Memory
  readonly v1: Published
  readonly told: HostEvent[]
  release(version: string, change: Partial<Draft>): Published
  /** A host as after a restart. */
  host(options?: Partial<HostOptions>): Promise<Host>
  /** A client on the wire, through a host as after a restart. */
  connect(wire: Wire, server: HostileTarget, options?: ConnectOptions): Promise<Guarded>
}

export interface ConnectOptions {
  readonly host?: Partial<HostOptions>
  readonly guard?: Parameters<typeof connectGuarded>[3]
  readonly raw?: Parameters<typeof connectGuarded>[4]
}

/** 1.0.0 is released with the benign tools, unless told otherwise. */
export function attackWorld(change: Partial<Draft> = {}, named: WorldOptions = {}): AttackWorld {
  const world = openWorld(named)
  const acme = world.enrol('com.acme')
  const release = (version: string, more: Partial<Draft>): Published =>
    world.release(acme, draft(version, more))
  const v1 = release('1.0.0', change)
  const memory = memoryInProcess()
  const told: HostEvent[] = []
  const host = (options: Partial<HostOptions> = {}): Promise<Host> =>
    openHost({
      ...{ registry: world.api(), trust: world.trust, memory, policy: BLOCK },
      now: () => world.clock * 1000,
      onEvent: (event) => told.push(event),
      ...options,
    })
  return {
    ...{ world, acme, memory, v1, told, release, host },
    connect: async (wire, server, { host: hostOptions, guard, raw } = {}) =>
      connectGuarded(
        wire,
        server,
        await host(hostOptions),
        { server: v1.server, slot: 'attacked', ...guard },
        raw,
      ),
  }
}

/** No prompts and no instructions, unless told otherwise. */
export function draft(version: string, change: Partial<Draft> = {}): Draft {
  const { server, packages = [] } = weather(version)
  return { server, version, packages, tools: signedTools(), prompts: [], ...change }
}

/** Everything told of this type. */
export function eventsOf<T extends GuardEvent['type']>(
  { events }: Pick<Guarded, 'events'>,
  type: T,
): Extract<GuardEvent, { type: T }>[] {
  return events.filter((event): event is Extract<GuardEvent, { type: T }> => event.type === type)
}
