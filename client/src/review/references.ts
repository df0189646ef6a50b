import { isJsonObject, parseStrictJson, type JsonValue } from '../core/index.js'
import type { LiveItem } from './live.js'

/** What of another server a text may speak of, by its folded spelling, and the index of that server. */
export interface Spoken {
  /** Names that are no word of any language: `get_forecast`, `getForecast`, `list-events`. */
  readonly distinct: ReadonlyMap<string, readonly number[]>
  /** `search`, `query`: only with the word tool beside them. */
  readonly plain: ReadonlyMap<string, readonly number[]>
}

/** Something of another server that an item names. */
export interface Reference {
  readonly neighbour: number
  readonly name: string
  /** The sentence tells a model what to do, or when. */
  readonly isCommand: boolean
}

const SENTENCE_END = /[.!?;:]\s|\n/
const TOKEN = /[a-z0-9_./@-]+/g
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu
const ASCII = /^[\x20-\x7e\n\t]*$/
// Honest texts name a tool of some other server in such a sentence in about 1 of 1000 pairs of real servers.
const COMMAND =
  /\b(?:must|should|shall|always|never|only|before|after|instead|rather|first|prior|next|then|do not|don't|not|ignore|disregard|overrid\w+|replac\w+|supersed\w+|deprecat\w+|prefer\w*|avoid|stop|skip|call\w*|us(?:e|es|ed|ing)|invok\w+|run\w*|execut\w+|forward\w*|redirect\w*|requir\w+|needs?|pass|send|append|include|add|set|whenever|when|every)\b/

/** Splits the names of neighbours by whether an honest text could hold them by chance. */
export function indexNames(names: Iterable<readonly [name: string, neighbour: number]>): Spoken {
  const distinct = new Map<string, number[]>()
  const plain = new Map<string, number[]>()
  for (const [name, neighbour] of names) {
    const map = /[_./@-]|[a-z][A-Z]/.test(name) ? distinct : plain
    const key = name.toLowerCase()
    const known = map.get(key)
    if (known === undefined) map.set(key, [neighbour])
    else if (!known.includes(neighbour)) known.push(neighbour)
  }
  return { distinct, plain }
}

/** What of other servers an item's texts speak of. Linear in the texts; each name once. */
export function findReferences(item: LiveItem, spoken: Spoken, own: ReadonlySet<string>): Reference[] {
  const found = new Map<string, Reference>()
  for (const text of textsOf(parseStrictJson(item.text))) {
    for (const sentence of fold(text).split(SENTENCE_END)) {
      readSentence(sentence, spoken, own, found)
    }
  }
  return [...found.values()]
}

/** A model reads through characters that nobody sees, and through other forms of the same letters. */
function fold(text: string): string {
  return (ASCII.test(text) ? text : text.normalize('NFKC').replaceAll(IGNORABLE, '')).toLowerCase()
}

function readSentence(
  sentence: string,
  { distinct, plain }: Spoken,
  own: ReadonlySet<string>,
  found: Map<string, Reference>,
): void {
  let isCommand: boolean | undefined
  const keep = (name: string, neighbours: readonly number[]): void => {
    // A name that stands alone, as a value of an enum does, says nothing.
    isCommand ??= sentence.trim() !== name && COMMAND.test(sentence)
    for (const neighbour of neighbours) {
      const key = `${neighbour} ${name}`
      if (isCommand || !found.has(key)) found.set(key, { neighbour, name, isCommand })
    }
  }
  for (const { 0: token, index } of sentence.matchAll(TOKEN)) {
    for (const name of spellings(token)) {
      if (own.has(name)) continue
      const named = distinct.get(name)
      const called = named ?? plain.get(name)
      if (called !== undefined && (named !== undefined || isTool(sentence, index, token))) keep(name, called)
    }
  }
}

/** Hosts show tools under the name of their server: `weather.get_forecast`, `mcp__weather__get_forecast`. */
function spellings(token: string): readonly string[] {
  if (!/[./@-]|__/.test(token)) return [token]
  const bare = token.replace(/^[./@-]+(?=[^/@]*$)/, '').replace(/[./-]+$/, '')
  const parts = [bare, bare.slice(bare.lastIndexOf('__') + 2), bare.slice(bare.lastIndexOf('.') + 1)]
  return [...new Set([...parts, bare.slice(bare.lastIndexOf('/') + 1)])].filter((part) => part !== '')
}

/** `the search tool`, `tool "search"`. */
function isTool(sentence: string, at: number, token: string): boolean {
  const after = sentence.slice(at + token.length, at + token.length + 8)
  const before = sentence.slice(Math.max(0, at - 8), at)
  return /^[`'"”’]? ?tool\b/.test(after) || /\btool:? ?[`'"“‘]?$/.test(before)
}

function* textsOf(value: JsonValue): Generator<string, void, undefined> {
  if (typeof value === 'string') yield value
  else if (Array.isArray(value)) for (const one of value) yield* textsOf(one)
  else if (isJsonObject(value)) for (const one of Object.values(value)) yield* textsOf(one)
}
