import { MAX_LINE_BYTES, type EventRecord } from './record.js'

const PLAIN = /^[\x20-\x7e]*$/
/** What a viewer of logs hides, obeys or breaks lines at; as `\uXXXX` it means the same to a parser and nothing else. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu

/** Members that a record can do without, the largest first: what is too long for a line loses them one after the other. */
const EXPENDABLE = ['items', 'arguments', 'withheld', 'detail', 'reported'] as const

/** A record as its line, no longer than {@link MAX_LINE_BYTES}; what had to go is named in `truncated`. */
export function formatRecord(record: EventRecord): string {
  const line = write(record)
  if (Buffer.byteLength(line) <= MAX_LINE_BYTES) return line
  const rest: Record<string, unknown> = { ...record }
  const truncated: string[] = []
  for (const name of EXPENDABLE) {
    if (!(name in rest)) continue
    Reflect.deleteProperty(rest, name)
    truncated.push(name)
    const shorter = write({ ...rest, truncated })
    if (Buffer.byteLength(shorter) <= MAX_LINE_BYTES) return shorter
  }
  // Every other member is capped where it is made.
  return write({ ...rest, truncated })
}

function write(value: object): string {
  const json = JSON.stringify(value)
  return `${PLAIN.test(json) ? json : json.replaceAll(HIDDEN, escapeUnits)}\n`
}

function escapeUnits(char: string): string {
  return char
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}
