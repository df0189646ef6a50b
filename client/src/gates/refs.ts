import { isJsonObject, type JsonObject } from '../core/index.js'
import { excerpt, HOLD, NOTE, REFUSE, rule, type Report } from './finding.js'
import { DATA_KEYWORDS } from './schema-walk.js'
import { walk, type Path } from './walk.js'

export const REF_KEYWORDS = ['$ref', '$dynamicRef', '$recursiveRef'] as const

const REMOTE = rule('schema-remote-ref', REFUSE)
const MALFORMED = rule('schema-ref-malformed', HOLD)
const REBASE = rule('schema-rebase', REFUSE)
const NAMED = rule('schema-id', NOTE)
const DIALECT = rule('schema-dialect', HOLD)
const IN_DATA = rule('schema-ref-in-data', HOLD)

const OLD_DRAFT = /^https?:\/\/json-schema\.org\/draft-0[34]\//
const KNOWN_DIALECT =
  /^https?:\/\/json-schema\.org\/(?:draft-0[34567]|draft\/2019-09|draft\/2020-12)\/(?:hyper-)?schema#?$/

/** What the keywords of one schema mean for references. */
export interface SchemaPlace {
  readonly isRoot: boolean
  /** Whether the root says that it is of a draft in which `id` is what `$id` is now. */
  readonly isOldDraft: boolean
}

/** Whether a root schema is of the drafts 3 or 4. */
export function isOldDraft(root: JsonObject): boolean {
  return OLD_DRAFT.test(text(root, '$schema') ?? '')
}

/**
 * What a schema says must be in the schema: a reference elsewhere, or a base that moves references elsewhere, lets
 * somebody change the meaning after approval, and makes hosts fetch what they are told to (A5).
 */
export function inspectRefs(
  keyword: string,
  value: unknown,
  place: SchemaPlace,
  path: Path,
  report: Report,
): void {
  if (isRefKeyword(keyword)) inspectRef(value, keyword, path, report)
  else if (DATA_KEYWORDS.has(keyword)) inspectData(value, path, report)
  else if (typeof value !== 'string') return
  else if (keyword === '$schema') inspectDialect(value, path, report)
  else if (keyword === '$id' || (keyword === 'id' && place.isOldDraft))
    inspectId(value, place.isRoot, path, report)
}

function isRefKeyword(keyword: string): boolean {
  return (REF_KEYWORDS as readonly string[]).includes(keyword)
}

function inspectRef(target: unknown, keyword: string, path: Path, report: Report): void {
  if (typeof target !== 'string') report(MALFORMED, path, `${keyword} is not a text`)
  else if (!target.startsWith('#')) {
    report(REMOTE, path, `${keyword} points out of the schema, to where its content can change`, () =>
      excerpt(target),
    )
  }
}

/** `#name` is an anchor of the older drafts and moves nothing. At the root only hosts that keep schemas by name see it. */
function inspectId(id: string, isRoot: boolean, path: Path, report: Report): void {
  if (id.startsWith('#')) return
  if (isRoot) report(NAMED, path, 'the schema has a name of its own', () => excerpt(id))
  else report(REBASE, path, 'this base moves what references below it mean', () => excerpt(id))
}

function inspectDialect(dialect: string, path: Path, report: Report): void {
  if (KNOWN_DIALECT.test(dialect)) return
  report(DIALECT, path, 'a dialect of its own: keywords may mean anything', () => excerpt(dialect))
}

/** In data a reference means nothing, unless a host resolves every `$ref` it finds, as some do. */
function inspectData(data: unknown, path: Path, report: Report): void {
  if (typeof data !== 'object') return
  walk(data, path, {
    container: (value) => {
      const target = isJsonObject(value) ? text(value, '$ref') : undefined
      if (target === undefined || target.startsWith('#')) return
      report(IN_DATA, path, 'data that a careless host would take for a reference and fetch', () =>
        excerpt(target),
      )
    },
  })
}

function text(schema: JsonObject, member: string): string | undefined {
  const value = Object.hasOwn(schema, member) ? schema[member] : undefined
  return typeof value === 'string' ? value : undefined
}
