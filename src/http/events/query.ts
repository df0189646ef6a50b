import type { IncomingMessage } from 'node:http'
import { parseDecimal, parseNamespace } from 'countersign/core'
import { z } from 'zod'
import { HttpProblem } from '../problems.js'
import { EVENT_TYPES, type EventType, type PublicEvent } from './public-event.js'

const types = z
  .string()
  .max(256)
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(EVENT_TYPES)).min(1).max(EVENT_TYPES.length))

/** `GET /v1/events?namespace=&types=&after=`. */
export const eventsQuery = z.strictObject({
  namespace: z.string().max(198).optional(),
  types: types.optional(),
  after: z.string().max(16).optional(),
})

/** What one consumer asked for. */
export interface Wanted {
  /** Positions up to this one it has; undefined: it begins with what comes now. */
  readonly after: number | undefined
  readonly isWanted: (event: PublicEvent) => boolean
}

/** A consumer that comes again sends what it saw last, whatever its address still says. */
export function readWanted(query: unknown, headers: IncomingMessage['headers']): Wanted {
  const { namespace, types: wanted, after: begin } = eventsQuery.parse(query)
  const last = headers['last-event-id']
  if (Array.isArray(last)) throw new HttpProblem('request-invalid', 'Last-Event-ID is sent once')
  // Some send it empty when they come for the first time.
  const after = last === undefined || last === '' ? begin : last
  const own = namespace === undefined ? undefined : parseNamespace(namespace).toLowerCase()
  const isOfType = wanted === undefined ? undefined : new Set<EventType>(wanted)
  return {
    after: after === undefined || after === '' ? undefined : parseDecimal(after),
    isWanted: (event) =>
      (isOfType?.has(event.type) ?? true) &&
      (own === undefined || event.isEverybodys || event.namespace?.toLowerCase() === own),
  }
}
