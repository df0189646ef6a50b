import type { TrustedPublisherRow } from '../../storage/store.js'
import { created, cursorTo, ok } from '../answers.js'
import type { Rooms } from '../rooms.js'
import { jsonBody } from '../body.js'
import { administering, type AddRoute } from '../route.js'
import { trustedPublisherBody, trustedPublishersQuery } from '../schemas/trusted-publishers.js'

/** Workflows that may publish without a stored secret. */
export function addTrustedPublisherRoutes(add: AddRoute, { auth }: Rooms): void {
  const { trustedPublishers } = auth
  const addition = { ...administering, body: jsonBody(trustedPublisherBody) }
  const listing = { scope: 'registry:admin', query: trustedPublishersQuery } as const

  add('post', '/v1/admin/trusted-publishers', addition, async ({ account, body }) =>
    created(view(await trustedPublishers.add(account, body))),
  )
  add('get', '/v1/admin/trusted-publishers', listing, async ({ query }) => {
    const { rows, next } = await trustedPublishers.list({ ...query, after: query.cursor })
    return ok({ trustedPublishers: rows.map(view), ...cursorTo(next) })
  })
  add('delete', '/v1/admin/trusted-publishers/:id', administering, async ({ account, params }) =>
    ok(view(await trustedPublishers.remove(account, params('id')))),
  )
}

function view({ createdAt, ...row }: TrustedPublisherRow) {
  return { ...row, createdAt: new Date(createdAt).toISOString() }
}
