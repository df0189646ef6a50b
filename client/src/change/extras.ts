import { isJsonObject, type JsonObject, type JsonValue } from '../core/index.js'
import { isSameJson, namesOf, ownOf } from './json.js'
import { named, type Ledger } from './ledger.js'
import { below, type Place } from './places.js'

type Member = JsonValue | undefined

/** `execution`: a task goes on when nobody looks. Its default may be written out or left out. */
export function compareExecution(before: Member, after: Member, place: Place, { note }: Ledger): void {
  const [a, b] = [taskSupport(before), taskSupport(after)]
  const words = { text: 'how it may be executed changed', before, after }
  const isLess = b === 'forbidden' || (a === 'required' && b === 'optional')
  if (a !== b) note('execution', isLess ? 'narrowed' : 'widened', place, () => words)
  if (!isSameJson(othersOf(before), othersOf(after))) note('execution', 'widened', place, () => words)
}

function taskSupport(execution: Member): JsonValue {
  const own =
    isJsonObject(execution) && Object.hasOwn(execution, 'taskSupport') ? execution['taskSupport'] : undefined
  return own ?? 'forbidden'
}

function othersOf(execution: Member): JsonValue {
  if (execution === undefined) return {}
  if (!isJsonObject(execution)) return execution
  return Object.fromEntries(Object.entries(execution).filter(([name]) => name !== 'taskSupport'))
}

// What hosts act upon: pages shown to people, files loaded for them.
const ACTING = /^(?:ui|openai|io\.modelcontextprotocol)(?:$|\/)/

/** `_meta`, member by member: words, but for what hosts are known to act upon. */
export function compareMeta(before: Member, after: Member, place: Place, { note }: Ledger): void {
  const [a, b] = [objectOf(before), objectOf(after)]
  if (a === undefined || b === undefined) {
    note('meta', 'widened', place, () => ({ text: '_meta is no object', before, after }))
    return
  }
  for (const name of namesOf(a, b)) {
    const [x, y] = [ownOf(a, name), ownOf(b, name)]
    if (isSameJson(x, y)) continue
    const level = ACTING.test(name) && y !== undefined ? 'widened' : 'text'
    note('meta', level, y === undefined ? place : below(place, name), () => ({
      text: `${named(name)} in _meta is ${x === undefined ? 'new' : y === undefined ? 'gone' : 'something else'}`,
      before: x,
      after: y,
    }))
  }
}

function objectOf(value: Member): JsonObject | undefined {
  if (value === undefined) return Object.create(null) as JsonObject
  return isJsonObject(value) ? value : undefined
}
