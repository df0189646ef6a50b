import { checkManifest, parseStrictJson, type JsonObject, type Manifest } from 'countersign/core'

/** A manifest with these members, through the real check. */
export function manifest(members: JsonObject): Manifest {
  const value = {
    format: 'countersign/manifest/v1',
    registry: 'registry-a',
    server: 'com.acme/mail',
    version: '1.0.0',
    role: 'publisher',
    tools: [],
    ...members,
  }
  return checkManifest(parseStrictJson(JSON.stringify(value)))
}

/** A tool as a manifest lists it. */
export function tool(name: string, members: JsonObject = {}): JsonObject {
  return { definition: { name, inputSchema: { type: 'object' }, ...members }, permissions: [] }
}
