import { inspectManifest, type Finding } from 'countersign/gates'
import { checkManifest, parseStrictJson, type JsonObject, type Manifest } from 'countersign/core'

export const SERVER = 'com.example/weather'

/** A small honest manifest; `change` makes it something else. Goes through the real checks. */
export function manifest(change: Record<string, unknown> = {}): Manifest {
  const value = {
    format: 'countersign/manifest/v1',
    registry: 'registry-aaaaaaaaaaaaaaaaaaaa',
    server: SERVER,
    version: '1.0.0',
    role: 'publisher',
    tools: [tool({})],
    ...change,
  }
  return checkManifest(parseStrictJson(JSON.stringify(value)))
}

export function tool(definition: Record<string, unknown>): Record<string, unknown> {
  const base = { name: 'forecast', description: 'The weather of tomorrow.', inputSchema: { type: 'object' } }
  return { definition: { ...base, ...definition }, permissions: [] }
}

/** Findings of a manifest whose only tool has this definition. */
export function inspectTool(definition: Record<string, unknown>): Finding[] {
  return inspectManifest(manifest({ tools: [tool(definition)] }), { knownServers: [] })
}

/** Findings of a tool with this input schema, written as JSON text so that any member name is possible. */
export function inspectSchema(schema: JsonObject | string): Finding[] {
  const parsed = typeof schema === 'string' ? parseStrictJson(schema) : schema
  return inspectTool({ inputSchema: { type: 'object', ...(parsed as JsonObject) } })
}

export function rules(findings: readonly Finding[]): string[] {
  return findings.map((finding) => finding.rule)
}
