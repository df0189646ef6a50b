import { isJsonObject, type JsonValue } from '../core/index.js'
import { excerpt, HOLD, rule, type Report } from './finding.js'
import { SCHEMA_MAPS } from './schema-walk.js'
import type { Path } from './walk.js'

const TYPE = rule('schema-type', HOLD)
const FORMAT = rule('schema-format', HOLD)
const REQUIRED = rule('schema-required', HOLD)
const NAME = rule('schema-name', HOLD)

const TYPES: ReadonlySet<unknown> = new Set([
  'string',
  'number',
  'integer',
  'boolean',
  'object',
  'array',
  'null',
])
const FORMAT_NAME = /^[A-Za-z0-9._:+/-]{1,64}$/
const LONG_NAME = 100
const SENTENCE_WORDS = 5

/** Sentences where a schema has words: nobody reviews `type`, `required`, `format` or a member's name, a model reads all (A25). */
export function inspectWords(
  keyword: string,
  value: JsonValue | undefined,
  path: Path,
  report: Report,
): void {
  if (keyword === 'type') inspectType(value, path, report)
  else if (keyword === 'format') inspectFormat(value, path, report)
  else if (keyword === 'required') inspectRequired(value, path, report)
  else if (SCHEMA_MAPS.has(keyword)) inspectNames(value, path, report)
}

function inspectType(value: JsonValue | undefined, path: Path, report: Report): void {
  const odd = (Array.isArray(value) ? value : [value]).find((type) => !TYPES.has(type))
  if (odd !== undefined) report(TYPE, path, 'no type of JSON Schema', () => excerpt(JSON.stringify(odd)))
}

function inspectFormat(value: unknown, path: Path, report: Report): void {
  if (typeof value === 'string' && FORMAT_NAME.test(value)) return
  report(FORMAT, path, 'no name of a format', () => excerpt(JSON.stringify(value)))
}

/** Draft 3 and careless authors write `required: true` on a member: that says nothing to anyone. */
function inspectRequired(value: JsonValue | undefined, path: Path, report: Report): void {
  for (const name of Array.isArray(value) ? value : [value]) {
    if (typeof name === 'boolean' || (typeof name === 'string' && !isSentence(name))) continue
    report(REQUIRED, path, 'no name of a member', () => excerpt(JSON.stringify(name)))
  }
}

function inspectNames(value: JsonValue | undefined, path: Path, report: Report): void {
  for (const name of isJsonObject(value) ? Object.keys(value) : []) {
    if (isSentence(name)) report(NAME, [...path, name], 'a sentence as a name', () => excerpt(name))
  }
}

/** Long, of several lines, or of more words than a label has. */
function isSentence(name: string): boolean {
  if (name.length > LONG_NAME || name.includes('\n')) return true
  // Every kind of blank: a tab or a no-break space reads as one.
  return /\s/u.test(name) && name.split(/\s+/u).filter((word) => word !== '').length >= SENTENCE_WORDS
}
