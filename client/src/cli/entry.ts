import { isJsonObject, refuse, type JsonValue } from '../core/index.js'
import { yellow, type Line } from './output.js'

/** Where a write stands in the log. */
export interface Entry {
  readonly index: number
  /** False while the witnesses are late: it is logged for good, and hosts are shown it when they have cosigned. */
  readonly published?: false
}

export type Publication = Pick<Entry, 'published'>

/** Present only where the registry says that it is logged and not published yet. */
export function readPublication(answer: JsonValue): Publication {
  return isJsonObject(answer) && answer['published'] === false ? { published: false } : {}
}

/** @throws CountersignError `registry-error` where the answer names no log index */
export function readEntry(answer: JsonValue): Entry {
  const index = isJsonObject(answer) ? answer['index'] : undefined
  if (typeof index !== 'number') refuse('registry-error', 'the registry names no log index')
  return { index, ...readPublication(answer) }
}

/** What a person is told besides when one of these is not published yet: it is no failure, and nothing need be repeated. */
export function lateLines(...writes: readonly Publication[]): Line[] {
  if (writes.every(({ published }) => published !== false)) return []
  return [
    [yellow('not published yet'), ': it is logged for good, and published as soon as the witnesses cosign'],
  ]
}
