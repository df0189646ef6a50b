import { isJsonObject, type JsonObject, type JsonValue } from '../core/index.js'
import { isSameJson, namesOf, ownOf } from './json.js'
import { named, type Ledger } from './ledger.js'
import { below, type Place } from './places.js'
import { compareTexts, compareTitles } from './text.js'

/** The arguments of a prompt, by name. Their order means nothing. */
export function compareArguments(
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  place: Place,
  ledger: Ledger,
): void {
  const [a, b] = [byName(before), byName(after)]
  if (a === undefined || b === undefined) {
    ledger.note('keyword', 'widened', place, () => ({
      text: 'the arguments are no list of names',
      before,
      after,
    }))
    return
  }
  for (const [name, { argument, at }] of b) {
    const old = a.get(name)?.argument
    const where = below(place, at)
    if (old !== undefined) compareArgument(old, argument, where, ledger)
    else {
      const text = `the argument ${named(name)} is new`
      ledger.note('parameter-added', 'widened', where, () => ({ text, after: argument }))
    }
  }
  for (const [name, { argument }] of a) {
    const text = `the argument ${named(name)} is gone`
    if (!b.has(name)) ledger.note('parameter-removed', 'narrowed', place, () => ({ text, before: argument }))
  }
}

function compareArgument(a: JsonObject, b: JsonObject, place: Place, ledger: Ledger): void {
  for (const member of namesOf(a, b)) {
    const [before, after] = [ownOf(a, member), ownOf(b, member)]
    if (isSameJson(before, after)) continue
    const was = { before, after, place: after === undefined ? place : below(place, member) }
    if (member === 'required') compareRequired(before, after, was.place, ledger)
    else if (member === 'title') compareTitles('the title of an argument', was, ledger)
    else compareTexts(`${named(member)} of an argument`, was, ledger)
  }
}

function compareRequired(
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  place: Place,
  { note }: Ledger,
): void {
  if ((before ?? false) === (after ?? false)) return
  const kind = after === true ? 'parameter-required' : 'parameter-optional'
  const text = `an argument ${after === true ? 'is required now' : 'may be left out now'}`
  note(kind, 'widened', place, () => ({ text, before, after }))
}

type Named = Map<string, { readonly argument: JsonObject; readonly at: number }>

function byName(value: JsonValue | undefined): Named | undefined {
  const found: Named = new Map()
  if (value === undefined) return found
  if (!Array.isArray(value)) return undefined
  for (const [at, argument] of value.entries()) {
    const name = isJsonObject(argument) ? ownOf(argument, 'name') : undefined
    if (!isJsonObject(argument) || typeof name !== 'string' || found.has(name)) return undefined
    found.set(name, { argument, at })
  }
  return found
}
