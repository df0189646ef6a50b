import { canonicalize, isJsonObject, type JsonValue } from '../core/index.js'
import { excerpt } from '../gates/finding.js'
import { REF_KEYWORDS } from '../gates/refs.js'
import { pointerOf, walk, type Path } from '../gates/walk.js'
import { hostsOf } from './hosts.js'
import { named, type Ledger } from './ledger.js'
import { placeAt } from './places.js'
import { hasHidden } from './typography.js'

/**
 * A part of a document that is looked through for what must never appear unseen, wherever it stands: `key` names the
 * part in both documents, `path` is the way to it.
 */
export interface Part {
  readonly key: string
  readonly path: Readonly<Path>
  readonly value: JsonValue
  readonly ledger: Ledger
}

/** What a document names already. What is in here is no news, wherever it moves to. */
interface Known {
  readonly hosts: Set<string>
  readonly hidden: Set<string>
  readonly references: Set<string>
  readonly headers: Set<string>
}

type See = (what: keyof Known, value: string, path: Path) => void

const HEADER = 'x-mcp-header'
const DIALECT = /^https?:\/\/json-schema\.org\/[\w./#-]*$/

function collectKnown(parts: Iterable<Pick<Part, 'key' | 'value'>>): Known {
  const known: Known = { hosts: new Set(), hidden: new Set(), references: new Set(), headers: new Set() }
  for (const part of parts) look(part, (what, value) => known[what].add(value))
  return known
}

/**
 * Notes hosts, hidden characters, references out of a schema and headers that the old document did not have. Most new
 * parts name none of these, so the old document is looked through when the first one is seen.
 */
export function noteNovelties(old: () => Iterable<Pick<Part, 'key' | 'value'>>, parts: Iterable<Part>): void {
  let known: Known | undefined
  for (const part of parts) {
    look(part, (what, value, path) => {
      known ??= collectKnown(old())
      if (known[what].has(value)) return
      const place = placeAt(true, [...part.path, ...path])
      part.ledger.note(KINDS[what], 'dangerous', place, () => ({
        text: SENTENCES[what](value),
        after: shownOf(what, value),
      }))
    })
  }
}

const KINDS = {
  hosts: 'new-host',
  hidden: 'hidden-characters',
  references: 'reference',
  headers: 'header',
} as const

const SENTENCES: Readonly<Record<keyof Known, (value: string) => string>> = {
  hosts: (host) => `the host ${named(host)} is named for the first time`,
  hidden: () => 'a text holds characters that a reader does not see',
  references: () => 'a reference leads out of the schema, to where its content can change',
  headers: () => 'an argument is copied into a header of the request, where others read it',
}

function shownOf(what: keyof Known, value: string): string {
  return what === 'headers' ? value.slice(value.lastIndexOf('\n') + 1) : value
}

function look({ key, value }: Pick<Part, 'key' | 'value'>, see: See): void {
  walk(value, [], {
    text: (text, path, isName) => {
      // The names of the dialects look like addresses; nobody connects to them.
      if (!isName && path.at(-1) === '$schema' && DIALECT.test(text)) return
      for (const host of hostsOf(text)) see('hosts', host, path)
      if (hasHidden(text)) see('hidden', text, path)
    },
    container: (object, path) => {
      if (isJsonObject(object)) lookIntoSchema(key, object, path, see)
    },
  })
}

function lookIntoSchema(
  key: string,
  object: Readonly<Record<string, JsonValue>>,
  path: Path,
  see: See,
): void {
  for (const keyword of REF_KEYWORDS) {
    const target = Object.hasOwn(object, keyword) ? object[keyword] : undefined
    if (typeof target === 'string' && !target.startsWith('#')) see('references', target, [...path, keyword])
  }
  if (!Object.hasOwn(object, HEADER)) return
  const where = `${key}\n${pointerOf(path)}\n${excerpt(canonicalize(object[HEADER]))}`
  see('headers', where, [...path, HEADER])
}
