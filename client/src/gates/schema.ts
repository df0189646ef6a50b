import { isJsonObject, type JsonObject, type Manifest, type ManifestTool } from '../core/index.js'
import { inspectBombs } from './bombs.js'
import type { Report } from './finding.js'
import { inspectSize } from './limits.js'
import { inspectRefs, isOldDraft, type SchemaPlace } from './refs.js'
import { walkSchemas } from './schema-walk.js'
import type { Path } from './walk.js'
import { inspectWords } from './words.js'

/** Every schema of every tool, variants included: references, bombs, size, words. */
export function inspectSchemas(manifest: Manifest, report: Report): void {
  for (const [i, tool] of manifest.tools.entries()) {
    for (const [definition, path] of formsOf(tool, i)) inspectDefinition(definition, path, report)
  }
}

function formsOf(tool: ManifestTool, i: number): [definition: JsonObject, path: Path][] {
  const variants = (tool.variants ?? []).map(({ definition }, n): [JsonObject, Path] => [
    definition,
    ['tools', i, 'variants', n, 'definition'],
  ])
  return [[tool.definition, ['tools', i, 'definition']], ...variants]
}

function inspectDefinition(definition: JsonObject, path: Path, report: Report): void {
  for (const member of ['inputSchema', 'outputSchema']) {
    const schema = definition[member]
    if (isJsonObject(schema)) inspectSchema(schema, [...path, member], report)
  }
}

function inspectSchema(root: JsonObject, path: Path, report: Report): void {
  const top = path.length
  const old = isOldDraft(root)
  const all: { readonly schema: JsonObject; readonly depth: number }[] = []
  walkSchemas(root, path, (schema) => {
    all.push({ schema, depth: path.length - top })
    inspectKeywords(schema, { isRoot: schema === root, isOldDraft: old }, path, report)
  })
  inspectSize(all, path, report)
  const schemas = all.map(({ schema }) => schema)
  inspectBombs(root, schemas, path, report)
}

function inspectKeywords(schema: JsonObject, place: SchemaPlace, path: Path, report: Report): void {
  for (const keyword of Object.keys(schema)) {
    path.push(keyword)
    inspectRefs(keyword, schema[keyword], place, path, report)
    inspectWords(keyword, schema[keyword], path, report)
    path.pop()
  }
}
