import { ALARM, excerpt, NOTE, rule, type Report, type Rule } from './finding.js'
import { findHidden, type HiddenKind } from './unicode.js'
import type { Path } from './walk.js'

const HIDDEN: Readonly<Record<HiddenKind, readonly [rule: Rule, what: string]>> = {
  control: [rule('text-control', ALARM), 'control characters'],
  ansi: [rule('text-ansi', ALARM), 'terminal escape sequences'],
  bidi: [rule('text-bidi', ALARM), 'characters that turn the reading direction'],
  'zero-width': [rule('text-invisible', ALARM), 'invisible characters'],
  tag: [rule('text-tag', ALARM), 'characters of the TAG block, which carry text nobody sees'],
  variation: [rule('text-variation', ALARM), 'variation selectors that vary nothing'],
  surrogate: [rule('text-surrogate', ALARM), 'half characters'],
}
const NOT_NFC = rule('text-not-nfc', NOTE)
const TWIN = rule('text-twin', ALARM)

/** Characters a reviewer would not see, in one text of the manifest or one name of a member. */
export function inspectText(text: string, path: Path, isName: boolean, report: Report): void {
  if (isAscii(text)) return
  inspectHidden(text, path, isName, report)
  if (text !== text.normalize('NFC')) {
    report(NOT_NFC, path, 'accents stand as characters of their own', () => excerpt(text))
  }
}

/** One finding a text and kind, with the characters made visible around the first of them. */
function inspectHidden(text: string, path: Path, isName: boolean, report: Report): void {
  const kinds = new Map<HiddenKind, { at: number; count: number }>()
  for (const { kind, at } of findHidden(text)) {
    const seen = kinds.get(kind) ?? { at, count: 0 }
    seen.count += 1
    kinds.set(kind, seen)
  }
  for (const [kind, { at, count }] of kinds) {
    const [broken, what] = HIDDEN[kind]
    const where = isName ? 'a member name' : 'the text'
    report(broken, path, `${where} holds ${count} ${what}`, () => excerpt(text, at))
  }
}

/** Names beside each other that are drawn alike: members of an object, names and titles of a list's items. */
export function inspectTwins(value: object, path: Path, report: Report): void {
  if (!Array.isArray(value)) twins(Object.keys(value), path, report)
  else if (value.some((item) => typeof item === 'object' && item !== null)) {
    for (const member of ['name', 'title', 'uriTemplate']) {
      twins(
        value.map((item) => memberOf(item, member)),
        path,
        report,
      )
    }
  }
}

/** A member of a list's item; a tool's or prompt's definition lies one level below its entry. */
function memberOf(item: unknown, member: string): unknown {
  if (typeof item !== 'object' || item === null) return undefined
  const own = item as Readonly<Record<string, unknown>>
  const definition = Object.hasOwn(own, 'definition') ? own['definition'] : own
  if (typeof definition !== 'object' || definition === null) return undefined
  return Object.hasOwn(definition, member) ? (definition as typeof own)[member] : undefined
}

function twins(names: readonly unknown[], path: Path, report: Report): void {
  const unusual = names.filter((name): name is string => typeof name === 'string' && !isAscii(name))
  const first = new Map<string, string>()
  for (const name of unusual) {
    const other = first.get(name.normalize('NFC'))
    if (other === undefined) first.set(name.normalize('NFC'), name)
    else if (other !== name) {
      report(TWIN, path, 'two names below are drawn alike and written differently', () => spelled(name))
    }
  }
}

/** Every character beyond ASCII by its number: what two look-alike names differ in. */
function spelled(text: string): string {
  const chars = Array.from(text.slice(0, 120), (char) =>
    isAscii(char) ? char : `\\u{${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}}`,
  )
  return excerpt(chars.join(''))
}

/** Printable ASCII hides nothing and composes with nothing: two such texts are equal or drawn differently. */
function isAscii(text: string): boolean {
  return !/[^\t\n\x20-\x7e]/.test(text)
}
