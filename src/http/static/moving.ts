import type { Ledger } from '../../log/ledger.js'
import { JSON_TYPE, MOVING, smallDocument, TEXT, type Document, type Shape } from './document.js'

export type Moving = () => Document | undefined

/** What moves with the log: held for seconds only, made again when it moved. */
export function openMoving(ledger: Ledger): ReadonlyMap<string, Moving> {
  const note = (route: string, read: () => string | undefined): [string, Moving] => {
    const make = memo((text: string) =>
      smallDocument(Buffer.from(text), { route, type: TEXT, cache: MOVING }),
    )
    return [route, () => when(read(), make)]
  }
  const shape: Shape = { route: '/v1/status', type: JSON_TYPE, cache: MOVING, compress: true }
  const status = memo((body: Uint8Array) => smallDocument(body, shape))
  return new Map<string, Moving>([
    [shape.route, () => status(ledger.statusDocument())],
    note('/v1/root/latest', () => ledger.rootNote('latest')),
    note('/log/checkpoint', () => ledger.publishedNote()),
    note('/log/checkpoint.committed', () => newestNote(ledger)),
  ])
}

/** The newest checkpoint the log signed: without a quorum, it is good for denying alone (PROTOCOL 7). */
function newestNote(ledger: Ledger): string {
  const { size, note } = ledger.committed()
  return size > ledger.publishedSize() ? note : ledger.publishedNote()
}

function when<T>(value: T | undefined, make: (value: T) => Document): Document | undefined {
  return value === undefined ? undefined : make(value)
}

/** The same for many requests: it is hashed when it moves. */
function memo<T>(make: (from: T) => Document): (from: T) => Document {
  let last: { from: T; made: Document } | undefined
  return (from) => {
    if (last?.from !== from) last = { from, made: make(from) }
    return last.made
  }
}
