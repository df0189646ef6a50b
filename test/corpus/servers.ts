import {
  checkManifest,
  COVERED_MEMBERS,
  isJsonObject,
  parseStrictJson,
  type JsonObject,
  type Manifest,
} from 'countersign/core'
import { filesIn, readJson } from '../support/shared.js'

/** A captured server, as the corpus keeps it. */
export interface Capture {
  readonly package: string
  readonly version: string
  readonly initialize: { readonly instructions?: string }
  readonly tools: readonly JsonObject[]
  readonly prompts?: readonly JsonObject[]
  readonly resourceTemplates?: readonly JsonObject[]
  /** The lines behind these belong to a second listing. */
  readonly tool_pages?: number
  readonly raw?: { readonly tools_list: readonly string[] }
}

export interface AttackEntry {
  readonly id: string
  readonly label: string
  readonly labels: readonly string[]
  readonly malice_in: string
  readonly tool: JsonObject
}

export function captures(folder: string): Capture[] {
  return filesIn(folder, '.json').map((path) => readJson(path) as Capture)
}

/** A few servers send schemas that MCP forbids: no client reads them, and no manifest can be made of them. */
export function isPublishable({ tools }: Capture): boolean {
  return tools.every(({ inputSchema }) => isJsonObject(inputSchema) && inputSchema['type'] === 'object')
}

export function attacks(folder: string): AttackEntry[] {
  return filesIn(folder, '.json').flatMap((path) => (readJson(path) as { entries: AttackEntry[] }).entries)
}

export function packageNames(folder: string): string[] {
  return [...new Set(captures(folder).map((capture) => capture.package))]
}

/** The server name an npm package would most likely publish under: its scope, or itself, is the owner. */
export function serverNameOf(packageName: string): string {
  const [owner = '', local] = packageName.replace('@', '').split('/')
  return `com.${owner.replaceAll(/[._]/g, '-')}/${local ?? owner}`
}

/** A manifest of what was captured, through the real check: no slots, no variants. */
export function manifestOf(server: string, tools: readonly JsonObject[], capture?: Capture): Manifest {
  const text = capture?.initialize.instructions
  const value = {
    format: 'countersign/manifest/v1',
    registry: 'registry-aaaaaaaaaaaaaaaaaaaa',
    server,
    version: '1.0.0',
    role: 'publisher',
    ...(text !== undefined && text !== '' && { instructions: { definition: { text } } }),
    prompts: (capture?.prompts ?? []).map((prompt) => ({ definition: covered(prompt, 'prompt') })),
    tools: tools.map((tool) => ({ definition: covered(tool, 'tool'), permissions: [] })),
  }
  return checkManifest(parseStrictJson(JSON.stringify(value)))
}

function covered(item: JsonObject, kind: 'tool' | 'prompt'): JsonObject {
  return Object.fromEntries(Object.entries(item).filter(([key]) => COVERED_MEMBERS[kind].includes(key)))
}
