import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client'
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio'
import { onTestFinished } from 'vitest'
import { memoryInProcess } from '../../client/src/memory.js'
import { openHost, type Host, type HostOptions } from '../../client/src/host.js'
import {
  guardTransport,
  type GuardedTransport,
  type GuardEvent,
  type GuardOptions,
  type InnerTransport,
} from '../../client/src/guard/index.js'
import { registryApi, type RegistryApi } from '../../client/src/registry-api.js'
import type { Trust } from '../../client/src/trust.js'
import type { JsonObject, Manifest } from 'countersign/core'
import { BENIGN_TOOLS } from './benign.js'
import type { RawAnswer } from './hostile-http.js'
import type { HostileServer } from './hostile.js'
import { PATIENT_MS } from './ledger.js'
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
/** Every way a host is wired to a server: both SDKs, both eras, both transports. */
export const WIRES = [
  'sdk v1 over stdio',
  'sdk v2 over stdio',
  'sdk v2, 2026 era, over stdio',
  'sdk v1 over http',
  'sdk v2 over http',
  'sdk v2, 2026 era, over http',
] as const
export type Wire = (typeof WIRES)[number]
export type HostileTarget = Pick<HostileServer, 'command' | 'args' | 'listen'>

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
  const api = registryApi(registry.url, { timeoutMs: PATIENT_MS })
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
    host: (options) => openHost({ registry: api, trust, memory: memoryInProcess(), ...options }),
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
  /** The result of a call, as the client hands it on. */
  ask(name: string, args?: Record<string, unknown>): Promise<unknown>
  promptNames(): Promise<string[]>
  prompt(name: string): Promise<'done' | number>
  templateNames(): Promise<string[]>
  instructions(): string | undefined
  /** Every frame that reached the host, as text. */
  heard(): string
  /** The verdict of each thing withheld at the newest listing. */
  withheld(): Record<string, string>
}

/** No verdict is missed only because the machine is late. */
export const PATIENT_GUARD = { verifyMs: PATIENT_MS, pageMs: PATIENT_MS } as const

/** Starts the server and connects a real client to it through the guard. */
export async function connectGuarded(
  wire: Wire | Sdk,
  server: HostileTarget,
  host: Host,
  options: Partial<GuardOptions> = {},
  raw?: RawAnswer,
): Promise<Guarded> {
  const events: GuardEvent[] = []
  const transport = guardTransport(await openInner(wire, server, raw), {
    host,
    server: WEATHER,
    onEvent: (event) => events.push(event),
    ...PATIENT_GUARD,
    ...options,
  })
  const frames: string[] = []
  // Both SDKs chain a handler that is there before they connect.
  transport.onmessage = (message) => frames.push(JSON.stringify(message))
  const client = isV1(wire)
    ? await connectV1(transport)
    : await connectV2(transport, isModern(wire) ? 'auto' : 'legacy')
  onTestFinished(() => client.close())
  return { ...client, events, transport, heard: () => frames.join('\n'), withheld: () => withheldOf(events) }
}

export const isModern = (wire: string): boolean => wire.includes('2026 era')
export const isHttp = (wire: string): boolean => wire.endsWith('over http')
const isV1 = (wire: string): boolean => wire.startsWith('sdk v1')

/** The SDK's own transport to the server, without the guard. */
export async function openInner(
  wire: Wire | Sdk,
  server: HostileTarget,
  raw?: RawAnswer,
): Promise<InnerTransport> {
  const era = isModern(wire) ? 'modern' : 'legacy'
  if (isHttp(wire)) {
    const url = await server.listen(era, raw)
    return isV1(wire) ? new HttpV1(url) : new HttpV2(url)
  }
  const launch = { command: server.command, args: [...server.args, era], stderr: 'inherit' as const }
  return isV1(wire) ? new StdioV1(launch) : new StdioV2(launch)
}

type Connected = Omit<Guarded, 'events' | 'transport' | 'heard' | 'withheld'> & { close(): Promise<void> }

async function connectV1(transport: GuardedTransport): Promise<Connected> {
  const client = new ClientV1({ name: 'host', version: '1.0.0' })
  await client.connect(transport)
  return connected(client)
}

export async function connectV2(
  transport: Parameters<ClientV2['connect']>[0],
  mode: 'legacy' | 'auto' = 'legacy',
): Promise<Connected> {
  const client = new ClientV2({ name: 'host', version: '1.0.0' }, { versionNegotiation: { mode } })
  await client.connect(transport)
  return connected(client)
}

function connected(client: ClientV1 | ClientV2): Connected {
  const tools = async () => (await client.listTools()).tools
  const ask = (name: string, args = {}): Promise<unknown> => client.callTool({ name, arguments: args })
  return {
    tools,
    ask,
    toolNames: async () => (await tools()).map((tool) => tool.name),
    call: (name, args) => outcome(ask(name, args)),
    promptNames: async () => (await client.listPrompts()).prompts.map((prompt) => prompt.name),
    prompt: (name) => outcome(client.getPrompt({ name })),
    templateNames: async () =>
      (await client.listResourceTemplates()).resourceTemplates.map((one) => one.uriTemplate),
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
