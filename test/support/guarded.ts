import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { Client as ClientV2 } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { StdioClientTransport as StdioClientTransportV1 } from '@modelcontextprotocol/sdk/client/stdio.js'
import { onTestFinished } from 'vitest'
import { memoryInProcess } from '../../client/src/memory.js'
import { openHost, type Host, type HostOptions } from '../../client/src/host.js'
import {
  guardTransport,
  type GuardedTransport,
  type GuardEvent,
  type GuardOptions,
} from '../../client/src/guard/index.js'
import { registryApi, type RegistryApi } from '../../client/src/registry-api.js'
import type { Trust } from '../../client/src/trust.js'
import type { JsonObject, Manifest } from 'countersign/core'
import { BENIGN_TOOLS } from './benign.js'
import type { HostileServer } from './hostile.js'
import {
  addPublisher,
  approveManifest,
  publishManifest,
  sampleManifest,
  startRegistry,
  type Publisher,
  type TestRegistry,
} from './registry.js'

export const WEATHER = 'com.example/weather'
/** Stands in every hostile text; must never stand in anything the host hears. */
export const POISON = 'send-everything-to-attacker'
export const SDKS = ['sdk v1', 'sdk v2'] as const
export type Sdk = (typeof SDKS)[number]

/** A real registry in which one publisher signed things and somebody approved them. */
export interface SignedWorld {
  readonly registry: TestRegistry
  readonly trust: Trust
  readonly publisher: Publisher
  /** The digest of the manifest that is approved now. */
  publish(change: Partial<Manifest>): Promise<string>
  host(options?: Partial<HostOptions>): Promise<Host>
  /** The registry as a host reaches it, some answers replaced. */
  api(replaced?: Partial<RegistryApi>): RegistryApi
  close(): Promise<void>
}

export async function openWorld(): Promise<SignedWorld> {
  const registry = await startRegistry()
  const publisher = await addPublisher(registry, 'com.example')
  const rootNote = await (await fetch(`${registry.url}/v1/root/1`)).text()
  const trust: Trust = { identity: registry.identity, rootNote, fingerprint: registry.fingerprint }
  const api = registryApi(registry.url)
  return {
    registry,
    trust,
    publisher,
    async publish(change) {
      const manifest = sampleManifest(registry.identity, { server: WEATHER, ...change })
      const published = await publishManifest(publisher, manifest)
      await approveManifest(registry.admin, published.manifest, 'a test needs it')
      return published.manifest
    },
    host: (options) => openHost({ registry: registry.url, trust, memory: memoryInProcess(), ...options }),
    api: (replaced = {}) => ({ ...bound(api), ...replaced }),
    close: () => registry.close(),
  }
}

function bound(api: RegistryApi): RegistryApi {
  return {
    fetchStatus: () => api.fetchStatus(),
    fetchBundle: (digest) => api.fetchBundle(digest),
    fetchConsistency: (from, to) => api.fetchConsistency(from, to),
    fetchRevocations: (root) => api.fetchRevocations(root),
    fetchRoot: (version) => api.fetchRoot(version),
    fetchVersions: (server) => api.fetchVersions(server),
    lookup: (query) => api.lookup(query),
  }
}

export function signedTools(tools: readonly JsonObject[] = BENIGN_TOOLS): Manifest['tools'] {
  return tools.map((definition) => ({ definition, permissions: [] }))
}

/** What a host saw of a guarded server. */
export interface Guarded {
  readonly events: GuardEvent[]
  readonly transport: GuardedTransport
  toolNames(): Promise<string[]>
  tools(): Promise<readonly Record<string, unknown>[]>
  call(name: string, args?: Record<string, unknown>): Promise<'done' | number>
  instructions(): string | undefined
  /** Every frame that reached the host, as text. */
  heard(): string
  /** The verdict of each thing withheld at the newest listing. */
  withheld(): Record<string, string>
}

/** Starts the server and connects a real client to it through the guard. */
export async function connectGuarded(
  sdk: Sdk,
  server: Pick<HostileServer, 'command' | 'args'>,
  host: Host,
  options: Partial<GuardOptions> = {},
): Promise<Guarded> {
  const events: GuardEvent[] = []
  const launch = { command: server.command, args: server.args, stderr: 'inherit' } as const
  const inner = sdk === 'sdk v1' ? new StdioClientTransportV1(launch) : new StdioClientTransport(launch)
  const transport = guardTransport(inner, {
    host,
    server: WEATHER,
    onEvent: (event) => events.push(event),
    ...options,
  })
  const frames: string[] = []
  // Both SDKs chain a handler that is there before they connect.
  transport.onmessage = (message) => frames.push(JSON.stringify(message))
  const client = sdk === 'sdk v1' ? await connectV1(transport) : await connectV2(transport)
  onTestFinished(() => client.close())
  return { ...client, events, transport, heard: () => frames.join('\n'), withheld: () => withheldOf(events) }
}

type Connected = Pick<Guarded, 'toolNames' | 'tools' | 'call' | 'instructions'> & { close(): Promise<void> }

async function connectV1(transport: GuardedTransport): Promise<Connected> {
  const client = new ClientV1({ name: 'host', version: '1.0.0' })
  await client.connect(transport)
  const tools = async () => (await client.listTools()).tools
  return {
    tools,
    toolNames: async () => (await tools()).map((tool) => tool.name),
    call: (name, args = {}) => outcome(client.callTool({ name, arguments: args })),
    instructions: () => client.getInstructions(),
    close: () => client.close(),
  }
}

export async function connectV2(
  transport: Parameters<ClientV2['connect']>[0],
  mode: 'legacy' | 'auto' = 'legacy',
): Promise<Connected> {
  const client = new ClientV2({ name: 'host', version: '1.0.0' }, { versionNegotiation: { mode } })
  await client.connect(transport)
  const tools = async () => (await client.listTools()).tools
  return {
    tools,
    toolNames: async () => (await tools()).map((tool) => tool.name),
    call: (name, args = {}) => outcome(client.callTool({ name, arguments: args })),
    instructions: () => client.getInstructions(),
    close: () => client.close(),
  }
}

async function outcome(call: Promise<unknown>): Promise<'done' | number> {
  try {
    await call
    return 'done'
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (typeof code === 'number') return code
    throw error
  }
}

function withheldOf(events: readonly GuardEvent[]): Record<string, string> {
  const listed = events.filter((event) => event.type === 'listed' && event.list === 'tools').at(-1)
  if (listed?.type !== 'listed') return {}
  return Object.fromEntries(listed.withheld.map((one) => [one.name, one.code]))
}

/** The verdict of each tool by the host alone, without a wire; `verified` for what goes on. */
export async function verdicts(host: Host, tools: readonly unknown[]): Promise<Record<string, string>> {
  const review = await host.review({ server: WEATHER, slot: 'test', tools })
  return Object.fromEntries([
    ...review.allowed.map((tool) => [tool.name, 'verified'] as const),
    ...review.withheld.map((one) => [one.name, one.code] as const),
  ])
}
