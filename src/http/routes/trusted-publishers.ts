import type { TrustedPublisherRow } from '../../storage/store.js'
import { created, cursorTo, ok } from '../answers.js'
import type { Rooms } from '../rooms.js'
import { jsonBody } from '../body.js'
import { administering, type AddRoute } from '../route.js'
import * as shapes from '../schemas/answers/accounts.js'
import { trustedPublisherBody, trustedPublishersQuery } from '../schemas/trusted-publishers.js'

/** Workflows that may publish without a stored secret. */
export function addTrustedPublisherRoutes(add: AddRoute, { auth }: Rooms): void {
  const { trustedPublishers } = auth
  const addition = {
    ...administering,
    body: jsonBody(trustedPublisherBody),
    doc: {
      summary: 'Let a workflow publish without a stored secret',
      answers: { 201: shapes.trustedPublisher },
      codes: ['trusted-publisher-invalid', 'name-invalid', 'account-unknown', 'namespace-not-granted'],
    },
  }
  const listing = {
    scope: 'registry:admin',
    query: trustedPublishersQuery,
    doc: { summary: 'Trusted publishers', answers: { 200: shapes.trustedPublisherList } },
  } as const
  const removal = {
    ...administering,
    doc: {
      summary: 'Remove a trusted publisher',
      answers: { 200: shapes.trustedPublisher },
      codes: ['trusted-publisher-unknown'],
    },
  }

  add('post', '/v1/admin/trusted-publishers', addition, async ({ account, body }) =>
    created(view(await trustedPublishers.add(account, body))),
  )
  add('get', '/v1/admin/trusted-publishers', listing, async ({ query }) => {
    const { rows, next } = await trustedPublishers.list({ ...query, after: query.cursor })
    return ok({ trustedPublishers: rows.map(view), ...cursorTo(next) })
  })
  add('delete', '/v1/admin/trusted-publishers/:id', removal, async ({ account, params }) =>
    ok(view(await trustedPublishers.remove(account, params('id')))),
  )
}

function view({ createdAt, ...row }: TrustedPublisherRow) {
  return { ...row, createdAt: new Date(createdAt).toISOString() }
}
