import { memoryInProcess, type Host, type HostOptions, type RegistryApi } from 'countersign'
import {
  openWorld,
  toolsOf,
  weather,
  type Published,
  type World,
  type WorldOptions,
} from '../support/world.js'

/** A world with one server in one version. */
export function releasedWorld(options: WorldOptions = {}) {
  const world = openWorld(options)
  const acme = world.enrol('com.acme')
  return { world, acme, v1: world.release(acme, weather()) }
}

/** Hosts that share one memory, each asking another view of the registry. */
export function hostsOf(world: World) {
  const memory = memoryInProcess()
  const at = (api: RegistryApi = world.api(), change: Partial<HostOptions> = {}): Promise<Host> =>
    world.host({ registry: api, memory, ...change })
  return { memory, at }
}

/** What a host says of a server that lists what was signed, always in the same slot. */
export async function verdictOf(host: Host, published: Published): Promise<string> {
  const { server } = published
  return (await host.review({ server, slot: 'x', tools: toolsOf(published) })).verdict
}
