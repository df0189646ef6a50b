import { isJsonObject, type JsonObject } from '../core/index.js'
import type { Path } from '../gates/walk.js'
import { isSameJson, namesOf, ownOf } from './json.js'
import { named, type Ledger } from './ledger.js'
import { placeAt } from './places.js'

const WORDS: ReadonlySet<string> = new Set(['description', 'title', 'placeholder'])
const VALUES: ReadonlySet<string> = new Set(['value', 'default', 'variables', 'choices'])

/**
 * Environment variables or headers, by name: one more asks for one more secret; another value given to one changes
 * what runs, or what is sent.
 */
export function compareInputs(
  what: string,
  before: readonly JsonObject[],
  after: readonly JsonObject[],
  path: Readonly<Path>,
  ledger: Ledger,
): void {
  const [a, b] = [byName(before), byName(after)]
  for (const [name, { input, at }] of b) {
    const old = a.get(name)?.input
    const text = `the ${what} ${named(name)} is new`
    if (old !== undefined) compareInput(`the ${what} ${named(name)}`, old, input, [...path, at], ledger)
    else ledger.note('environment', 'widened', placeAt(true, [...path, at]), () => ({ text, after: input }))
  }
  for (const [name, { input, at }] of a) {
    const text = `the ${what} ${named(name)} is gone`
    if (!b.has(name))
      ledger.note('environment', 'narrowed', placeAt(false, [...path, at]), () => ({ text, before: input }))
  }
}

function compareInput(
  what: string,
  a: JsonObject,
  b: JsonObject,
  path: Readonly<Path>,
  ledger: Ledger,
): void {
  for (const member of namesOf(a, b)) {
    const [before, after] = [ownOf(a, member), ownOf(b, member)]
    if (isSameJson(before, after)) continue
    const level = WORDS.has(member) ? 'text' : VALUES.has(member) ? 'dangerous' : 'widened'
    const place = placeAt(true, after === undefined ? path : [...path, member])
    ledger.note('environment', level, place, () => ({
      text: `${named(member)} of ${what} is another`,
      before,
      after,
    }))
  }
}

/** An input without a name, or a second one of a name, is known by where it stands. */
function byName(
  inputs: readonly JsonObject[],
): Map<string, { readonly input: JsonObject; readonly at: number }> {
  const found = new Map<string, { readonly input: JsonObject; readonly at: number }>()
  for (const [at, input] of inputs.entries()) {
    const name = isJsonObject(input) ? ownOf(input, 'name') : undefined
    const key = typeof name === 'string' && !found.has(name) ? name : `#${at}`
    found.set(key, { input, at })
  }
  return found
}
