import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { checkManifest, coveredItem, type ItemKind, type JsonObject, type Manifest } from 'countersign/core'

const require = createRequire(import.meta.url)

export interface RealServer {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** Three servers as npm has them, over a folder of their own. */
export function realServers(): {
  readonly servers: Record<'filesystem' | 'everything' | 'memory', RealServer>
  readonly folder: string
  remove(): void
} {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-interop-'))
  writeFileSync(join(folder, 'large.txt'), LARGE)
  const server = (
    name: string,
    args: readonly string[] = [],
    env: Record<string, string> = {},
  ): RealServer => ({
    name: `com.example/${name}`,
    command: process.execPath,
    args: [
      join(dirname(require.resolve(`@modelcontextprotocol/server-${name}/package.json`)), 'dist', 'index.js'),
      ...args,
    ],
    env,
  })
  return {
    folder,
    servers: {
      filesystem: server('filesystem', [folder]),
      everything: server('everything', ['stdio']),
      memory: server('memory', [], { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') }),
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Three megabytes in which every line is another one. */
export const LARGE = Array.from({ length: 60_000 }, (_, line) => `${line}: ${'x'.repeat(44)}\n`).join('')

export function openStdio({ command, args, env }: RealServer): StdioClientTransport {
  return new StdioClientTransport({ command, args: [...args], env: { ...env }, stderr: 'ignore' })
}

/** The surface of a server as its own frames say it, ready to be signed. */
export async function captureSurface(server: RealServer): Promise<Partial<Manifest>> {
  const transport = openStdio(server)
  const results: JsonObject[] = []
  transport.onmessage = (message) => {
    if ('result' in message) results.push(message.result as JsonObject)
  }
  const client = new Client({ name: 'capture', version: '1.0.0' })
  await client.connect(transport)
  const offers = client.getServerCapabilities() ?? {}
  await client.listTools()
  if (offers.prompts) await client.listPrompts()
  if (offers.resources) await client.listResourceTemplates()
  await client.close()
  const listed = (kind: ItemKind, member: string): { definition: JsonObject }[] =>
    results.flatMap((one) =>
      ((one[member] ?? []) as JsonObject[]).map((item) => ({ definition: coveredItem(kind, item) })),
    )
  const instructions = results.find((one) => typeof one['instructions'] === 'string')?.['instructions']
  const { tools, prompts, resourceTemplates, ...rest } = checkManifest({
    format: 'countersign/manifest/v1',
    registry: 'local',
    server: server.name,
    version: '1.0.0',
    role: 'publisher',
    tools: listed('tool', 'tools').map((tool) => ({ ...tool, permissions: [] })),
    prompts: listed('prompt', 'prompts'),
    resourceTemplates: listed('template', 'resourceTemplates'),
    ...(instructions !== undefined && { instructions: { definition: { text: instructions } } }),
  })
  return {
    server: server.name,
    tools,
    ...(prompts && { prompts }),
    ...(resourceTemplates && { resourceTemplates }),
    ...(rest.instructions && { instructions: rest.instructions }),
  }
}
