import { HOLD, NOTE, rule, type Report } from './finding.js'
import type { Path } from './walk.js'

const LONG = rule('text-long', NOTE)
const OVERSIZED = rule('text-oversized', HOLD)
const LARGE = rule('schema-large', HOLD)
const DEEP = rule('schema-deep', HOLD)

// The longest honest description seen has 35 000 characters; 99 of 100 are shorter than 2 200.
const LONG_TEXT = 8_000
const MAX_TEXT = 40_000
// The deepest honest definition seen has 25 levels; none comes near the number of schemas.
const MAX_LEVELS = 40
const MAX_SCHEMAS = 10_000

/** Texts too long for a person to have read, and long enough to push everything else out of a model's sight. */
export function inspectLength({ length }: string, path: Path, report: Report): void {
  if (length > MAX_TEXT) report(OVERSIZED, path, `${length} characters: nobody reads that`)
  else if (length > LONG_TEXT) report(LONG, path, `${length} characters in one text`)
}

/** Schemas deeper or larger than people write. */
export function inspectSize(
  schemas: readonly { readonly depth: number }[],
  path: Path,
  report: Report,
): void {
  const depth = schemas.reduce((deepest, schema) => Math.max(deepest, schema.depth), 0)
  if (schemas.length > MAX_SCHEMAS) report(LARGE, path, `${schemas.length} schemas inside one`)
  if (depth > MAX_LEVELS) report(DEEP, path, `${depth} levels deep`)
}
