import {
  COVERED_MEMBERS,
  isJsonObject,
  type ItemKind,
  type JsonObject,
  type JsonValue,
  type Slot,
} from '../core/index.js'
import type { Path } from '../gates/walk.js'
import { compareArguments } from './arguments.js'
import { compareExecution, compareMeta } from './extras.js'
import { compareHints } from './hints.js'
import { compareIcons } from './icons.js'
import { isSameJson, namesOf, ownOf } from './json.js'
import type { Ledger } from './ledger.js'
import { below, openDoc, type Doc, type Place } from './places.js'
import { compareSchemas } from './schema/compare.js'
import { compareSlots } from './slots.js'
import { compareTexts, compareTitles, type Was } from './text.js'
import type { Work } from './work.js'

/** One definition of an item: the base one, or a variant. */
export interface Form {
  readonly definition: JsonObject
  readonly slots: readonly Slot[]
  /** The way to the definition in its document. */
  readonly path: Readonly<Path>
}

interface Pair {
  readonly ledger: Ledger
  readonly work: Work
  readonly before: Doc
  readonly after: Doc
}

type Compare = (was: Was, pair: Pair) => void

/**
 * Everything that changed between two definitions of one item. Two that differ in spelling only are noted as
 * `rewritten`: what changed is always said.
 */
export function compareForms(
  kind: ItemKind,
  a: Form,
  b: Form,
  context: { ledger: Ledger; work: Work },
): void {
  const { ledger } = context
  const noted = ledger.count()
  const pair = {
    ...context,
    before: openDoc(a.definition, a.path, false),
    after: openDoc(b.definition, b.path, true),
  }
  const placeIn = (isNew: boolean, member?: string): Place => {
    const place = {
      doc: isNew ? pair.after : pair.before,
      holder: isNew ? b.definition : a.definition,
      tokens: [],
    }
    return member === undefined ? place : below(place, member)
  }
  const isSame = isSameJson(a.definition, b.definition)
  const isRewritten = !isSame || !isSameJson(a.slots, b.slots)
  for (const member of isSame ? [] : membersOf(kind)) {
    const [before, after] = [ownOf(a.definition, member), ownOf(b.definition, member)]
    if (isSameJson(before, after)) continue
    compareMember(kind, member)({ before, after, place: placeIn(after !== undefined, member) }, pair)
  }
  compareSlots(a.slots, b.slots, ledger, ({ pointer }, isNew) => below(placeIn(isNew), ...tokensOf(pointer)))
  if (isRewritten && ledger.count() === noted) {
    ledger.note('rewritten', 'none', placeIn(true), () => ({
      text: 'it is written another way and means the same',
    }))
  }
}

/** Hints come last: what they mean depends on whether anything else changed. */
function membersOf(kind: ItemKind): string[] {
  const members = COVERED_MEMBERS[kind].filter((member) => member !== 'annotations')
  return COVERED_MEMBERS[kind].includes('annotations') ? [...members, 'annotations'] : members
}

function tokensOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

const icons: Compare = ({ before, after, place }, { ledger }) => compareIcons(before, after, place, ledger)
const schema =
  (side: 'input' | 'output'): Compare =>
  (was, pair) =>
    compareToolSchemas(side, was, pair)

const MEMBERS: Readonly<Record<string, Compare>> = {
  title: (was, { ledger }) => compareTitles('the title', was, ledger),
  icons,
  inputSchema: schema('input'),
  outputSchema: schema('output'),
  _meta: ({ before, after, place }, { ledger }) => compareMeta(before, after, place, ledger),
  execution: ({ before, after, place }, { ledger }) => compareExecution(before, after, place, ledger),
  arguments: ({ before, after, place }, { ledger }) => compareArguments(before, after, place, ledger),
}

const hints: Compare = ({ before, after, place }, { ledger }) => compareHints(before, after, place, ledger)

function compareMember(kind: ItemKind, member: string): Compare {
  if (member === 'annotations') return kind === 'tool' ? hints : compareAnnotations
  return MEMBERS[member] ?? ((was, { ledger }) => compareTexts(`the ${member}`, was, ledger))
}

/** An output schema that is new says what was not said before, and promises more; one that is gone promises nothing. */
function compareToolSchemas(side: 'input' | 'output', { before, after, place }: Was, pair: Pair): void {
  if (isJsonObject(before) && isJsonObject(after)) compareSchemas(before, after, { side, ...pair })
  else {
    const level = side === 'output' && before === undefined && isJsonObject(after) ? 'text' : 'widened'
    const how = before === undefined ? 'new' : after === undefined ? 'gone' : 'another one'
    pair.ledger.note('type', level, place, () => ({ text: `the ${side} schema is ${how}`, before, after }))
  }
}

/** Annotations of resources: for whom one is meant decides where it goes. */
function compareAnnotations({ before, after, place }: Was, { ledger }: Pair): void {
  const [a, b]: (JsonValue | undefined)[] = [before ?? {}, after ?? {}]
  if (!isJsonObject(a) || !isJsonObject(b)) {
    ledger.note('hint', 'widened', place, () => ({ text: 'annotations are no object', before, after }))
    return
  }
  for (const name of namesOf(a, b)) {
    const [x, y] = [ownOf(a, name), ownOf(b, name)]
    if (isSameJson(x, y)) continue
    const where = y === undefined ? place : below(place, name)
    ledger.note('hint', name === 'audience' ? 'widened' : 'text', where, () => ({
      text: 'an annotation says something else',
      before: x,
      after: y,
    }))
  }
}
