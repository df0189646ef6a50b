import {
  canonicalize,
  checkManifest,
  parseServerName,
  type JsonObject,
  type JsonValue,
  type Manifest,
} from 'countersign/core'

/** What a test says of a manifest; `manifestOf` says the rest. */
export type Draft = Partial<Manifest> & { readonly server: string; readonly version: string }

export function manifestOf(draft: Draft, registry: string): Manifest {
  const { namespace } = parseServerName(draft.server)
  const whole = {
    format: 'countersign/manifest/v1',
    registry,
    role: 'publisher',
    title: `of ${namespace}`,
    tools: [],
    ...draft,
  }
  return checkManifest(JSON.parse(canonicalize(whole)) as JsonValue)
}

/** A small tool; `change` replaces members of its definition. */
export function tool(name: string, change: JsonObject = {}): JsonObject {
  return {
    name,
    title: `The ${name} tool`,
    description: `Does ${name} and nothing else.`,
    inputSchema: {
      type: 'object',
      properties: { place: { type: 'string', description: 'Where' }, days: { type: 'integer', minimum: 1 } },
      required: ['place'],
    },
    annotations: { readOnlyHint: true },
    ...change,
  }
}

/** `com.acme/weather` with five tools, instructions and a prompt. */
export function weather(version = '1.0.0', change: Partial<Manifest> = {}): Draft {
  const names = ['forecast', 'alerts', 'history', 'stations', 'units']
  return {
    server: 'com.acme/weather',
    version,
    packages: [{ registryType: 'npm', identifier: '@acme/weather', version }],
    instructions: { definition: { text: 'Ask for a place first.' } },
    prompts: [{ definition: { name: 'plan', description: 'Plans a day.' } }],
    tools: names.map((name) => ({ definition: tool(name), permissions: [] })),
    ...change,
  }
}

/** The same bytes with one of them changed. */
export function mutate(bytes: Uint8Array, at: number, mask = 1): Uint8Array {
  const changed = bytes.slice()
  changed[at] = (changed[at] ?? 0) ^ mask
  return changed
}
