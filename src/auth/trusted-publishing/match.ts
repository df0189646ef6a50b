import type { JWTPayload } from 'jose'

/** Patterns: `*` stands for anything within a segment of `/ @ :`, `**` also across them. */
const SEPARATORS = '/@:'
/** Values beyond this match nothing. */
const MAX_VALUE_LENGTH = 1024

export function isPattern(text: string): boolean {
  return text.includes('*')
}

/**
 * Whether the whole value is what the pattern says. Walks every place in the pattern at once, so that no value makes it
 * go back: the work is the two lengths multiplied.
 */
export function matchesPattern(pattern: string, value: string): boolean {
  const parts = pattern.match(/\*\*+|\*|[^*]/gu) ?? []
  let places = skipStars(parts, new Set([0]))
  for (const letter of value) {
    const next = new Set<number>()
    for (const place of places) {
      const part = parts[place]
      if (part === undefined) continue
      if (!part.startsWith('*')) {
        if (part === letter) next.add(place + 1)
      } else if (part.length > 1 || !SEPARATORS.includes(letter)) {
        next.add(place)
      }
    }
    if (next.size === 0) return false
    places = skipStars(parts, next)
  }
  return places.has(parts.length)
}

/** A star may stand for nothing. */
function skipStars(parts: readonly string[], places: Set<number>): Set<number> {
  for (const place of places) {
    // A set that grows while it is walked is walked to its end.
    if (parts[place]?.startsWith('*') === true) places.add(place + 1)
  }
  return places
}

/** Events that a stranger's proposal starts: a trusted publisher names them, or they do not count. */
const FOREIGN_EVENTS: Readonly<Record<string, readonly string[]>> = {
  event_name: ['pull_request', 'pull_request_target'],
  pipeline_source: ['merge_request_event', 'external_pull_request_event'],
}

/** Whether a token says everything that a trusted publisher asks for. */
export function matchesClaims(asked: Readonly<Record<string, string>>, payload: JWTPayload): boolean {
  const all = Object.entries(asked).every(([name, value]) => {
    const said = claimText(payload, name)
    return said !== undefined && matchesPattern(value, said)
  })
  return all && !isForeignEvent(asked, payload)
}

function isForeignEvent(asked: Readonly<Record<string, string>>, payload: JWTPayload): boolean {
  return Object.entries(FOREIGN_EVENTS).some(([name, events]) => {
    const said = claimText(payload, name)
    return said !== undefined && events.includes(said) && asked[name] !== said
  })
}

/** Numeric ids come as numbers from some issuers and as strings from others; lists and objects match nothing. */
function claimText(payload: JWTPayload, name: string): string | undefined {
  const value = Object.hasOwn(payload, name) ? payload[name] : undefined
  if (typeof value === 'string') return value.length <= MAX_VALUE_LENGTH ? value : undefined
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value)
  return undefined
}
