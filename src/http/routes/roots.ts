import { MAX_ROOT_BYTES, parseText } from 'countersign/core'
import { created } from '../answers.js'
import { noteBody } from '../body.js'
import type { Rooms } from '../rooms.js'
import { administering, type AddRoute } from '../route.js'
import { root } from '../schemas/answers/catalogue.js'
import { publishRootQuery } from '../schemas/roots.js'

/**
 * The next version of the trust root. Its signatures decide, not the token: that only keeps strangers from asking. The
 * versions themselves are in static.ts.
 */
export function addRootRoutes(add: AddRoute, { context }: Rooms): void {
  const publishing = {
    ...administering,
    body: noteBody(MAX_ROOT_BYTES),
    query: publishRootQuery,
    doc: {
      summary: 'Publish the next version of the trust root',
      description: 'The signed note of `countersign-registry root`; its signatures decide, not the token.',
      answers: { 201: root },
      codes: ['root-invalid', 'root-conflict', 'quorum-not-met', 'event-too-large'],
    },
  }
  add('post', '/v1/admin/roots', publishing, async ({ account, body, query }) => {
    const note = parseText(body, MAX_ROOT_BYTES)
    const force = query.force === 'true'
    const { version, digest, index } = await context.ledger.publishRoot(note, { force })
    const detail = JSON.stringify({ digest, ...(force && { force }) })
    const target = `root:${version}`
    const record = { at: context.now(), account, action: 'root.publish', target, detail, index }
    await context.store.addAuditRecord(record)
    return created({ version, digest, index })
  })
}
