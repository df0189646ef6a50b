import { parseDecimal } from 'countersign/core'
import { MAX_SEEN_BYTES } from '../../log/seen.js'
import { ok } from '../answers.js'
import { noteBody } from '../body.js'
import { HttpProblem } from '../problems.js'
import type { Rooms } from '../rooms.js'
import type { AddRoute } from '../route.js'
import * as shapes from '../schemas/answers/catalogue.js'

/** Where an entry stands, and what hosts were shown elsewhere. Tiles, checkpoints and proofs are in static.ts. */
export function addLogRoutes(add: AddRoute, { context: { ledger } }: Rooms): void {
  const entry = {
    doc: {
      summary: 'Where an entry stands, and whether a published checkpoint covers it',
      answers: { 200: shapes.logEntry },
      codes: ['decimal-invalid'],
    },
  }
  add('get', '/v1/log/entries/:index', entry, ({ params }) => {
    const position = parseDecimal(params('index'))
    if (position >= ledger.base + ledger.committed().size) {
      throw new HttpProblem('not-found', 'the log has no such entry')
    }
    const isPublished = ledger.isPublished(position)
    // The active log's size proves nothing of an entry that stands in a frozen one.
    const isActive = position >= ledger.base
    const size = isPublished && isActive ? { size: ledger.publishedSize() } : {}
    return ok({ index: position, published: isPublished, ...size })
  })

  const report = {
    limit: 'seen',
    body: noteBody(MAX_SEEN_BYTES),
    doc: {
      summary: 'Report a checkpoint of this log that was seen elsewhere',
      description: 'A signed note that this database does not hold stops the log: somebody forked it.',
      answers: { 202: shapes.seen },
      codes: ['note-invalid', 'log-forked'],
    },
  } as const
  add('post', '/v1/log/seen', report, async ({ body }) => {
    await ledger.seen(body)
    return { status: 202, body: { known: true } }
  })
}
