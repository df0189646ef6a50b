import { isJsonObject, type JsonObject, type JsonValue } from '../../core/index.js'
import { named } from '../ledger.js'
import { isSettled, noteKeyword, placeOf, valueOf, viewAt, type SchemaPair } from './pair.js'
import type { View } from './view.js'

/**
 * `properties` and `required`. A parameter is something that a model is asked for, so a new one widens whether it may
 * be left out or not, and one that may no longer be left out widens too. Of a result it is the other way round: what
 * is always there is a promise.
 */
export function compareProperties(pair: SchemaPair): void {
  const { a, b, ledger, work } = pair
  const [before, after] = [mapOf(a, 'properties'), mapOf(b, 'properties')]
  const [asked, asks] = [requiredOf(a), requiredOf(b)]
  if (before === undefined || after === undefined || asked === undefined || asks === undefined) {
    compareMalformed(pair)
    return
  }
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  work.spend(names.length + asked.size + asks.size)
  for (const name of names) {
    const [x, y] = [ownOf(before, name), ownOf(after, name)]
    if (x === undefined) {
      ledger.note('parameter-added', 'widened', placeOf(b, 'properties', name), () => ({
        text: `${wordFor(pair)} ${named(name)} is new${asks.has(name) ? ' and required' : ''}`,
        after: y,
      }))
    } else if (y === undefined) {
      ledger.note('parameter-removed', 'narrowed', placeOf(a, 'properties', name), () => ({
        text: `${wordFor(pair)} ${named(name)} is gone`,
        before: x,
      }))
    } else pair.push(viewAt(a, x, 'properties', name), viewAt(b, y, 'properties', name))
  }
  const isNews = (name: string): boolean => Object.hasOwn(before, name) || !Object.hasOwn(after, name)
  for (const name of sorted(asks))
    if (!asked.has(name) && isNews(name)) noteRequired(pair, name, Object.hasOwn(after, name))
  for (const name of sorted(asked)) {
    const isGone = Object.hasOwn(before, name) && !Object.hasOwn(after, name)
    if (!asks.has(name) && !isGone) noteOptional(pair, name)
  }
}

/** A name that no property has says nothing of a result: it is words. */
function noteRequired(pair: SchemaPair, name: string, isProperty: boolean): void {
  const level = pair.side === 'input' ? 'widened' : isProperty ? 'narrowed' : 'text'
  pair.ledger.note('parameter-required', level, placeOf(pair.b, 'required'), () => ({
    text: `${wordFor(pair)} ${named(name)} is required now`,
  }))
}

function noteOptional(pair: SchemaPair, name: string): void {
  const place = pair.b.members.has('required') ? placeOf(pair.b, 'required') : pair.b.place
  pair.ledger.note('parameter-optional', 'widened', place, () => ({
    text: `${wordFor(pair)} ${named(name)} may be left out now`,
  }))
}

function wordFor({ side }: SchemaPair): string {
  return side === 'input' ? 'the parameter' : 'the member'
}

function sorted(names: ReadonlySet<string>): string[] {
  return [...names].sort()
}

function ownOf(map: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined
}

/** An absent map is an empty one; undefined for what is no map. */
function mapOf(view: View, keyword: string): JsonObject | undefined {
  const value = valueOf(view, keyword)
  if (value === undefined) return Object.create(null) as JsonObject
  return isJsonObject(value) ? value : undefined
}

function requiredOf(view: View): ReadonlySet<string> | undefined {
  const value = valueOf(view, 'required') ?? []
  if (!Array.isArray(value)) return undefined
  const names = value.filter((name) => typeof name === 'string')
  return names.length === value.length ? new Set(names) : undefined
}

/** Not what JSON Schema says `properties` and `required` are: hosts will read it differently. */
function compareMalformed(pair: SchemaPair): void {
  for (const keyword of ['properties', 'required']) {
    if (isSettled(pair, keyword)) continue
    noteKeyword(pair, keyword, 'keyword', 'widened', `${keyword} is nothing that JSON Schema knows`)
  }
}

/** Names by pattern: a new pattern allows more names, and one that is gone lifts what it demanded. */
export function comparePatternProperties(pair: SchemaPair): void {
  const keyword = 'patternProperties'
  compareMaps(pair, keyword, (name, x, y) => {
    const isNew = x === undefined
    const place = isNew ? placeOf(pair.b, keyword, name) : placeOf(pair.a, keyword, name)
    pair.ledger.note(isNew ? 'parameter-added' : 'parameter-removed', 'widened', place, () => ({
      text: `names like ${named(name)} are ${isNew ? 'described' : 'no longer described'}`,
      ...(isNew ? { after: y } : { before: x }),
    }))
  })
}

/** What one parameter demands of others: a new demand asks a model for more, one that is gone allows more. */
export function compareDependencies(pair: SchemaPair): void {
  for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies']) {
    compareMaps(pair, keyword, (name, x, y) => {
      const place = y === undefined ? placeOf(pair.a, keyword, name) : placeOf(pair.b, keyword, name)
      pair.ledger.note('condition', 'widened', place, () => ({
        text: `what ${named(name)} demands of other parameters is something else`,
        before: x,
        after: y,
      }))
    })
  }
}

/** Members that are schemas on both sides are compared as such; all others that differ are told of. */
function compareMaps(
  pair: SchemaPair,
  keyword: string,
  differs: (name: string, before: JsonValue | undefined, after: JsonValue | undefined) => void,
): void {
  const { a, b, ids, work } = pair
  const [before, after] = [mapOf(a, keyword), mapOf(b, keyword)]
  if (before === undefined || after === undefined) {
    if (!isSettled(pair, keyword)) noteKeyword(pair, keyword, 'keyword', 'widened', `${keyword} is no object`)
    return
  }
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  work.spend(names.length)
  for (const name of names) {
    const [x, y] = [ownOf(before, name), ownOf(after, name)]
    if (isSchemaLike(x) && isSchemaLike(y))
      pair.push(viewAt(a, x, keyword, name), viewAt(b, y, keyword, name))
    else if (x === undefined || y === undefined || ids.idOf(x) !== ids.idOf(y) || ids.hasRefs(y))
      differs(name, x, y)
  }
}

function isSchemaLike(value: JsonValue | undefined): value is JsonObject | boolean {
  return typeof value === 'boolean' || isJsonObject(value)
}
