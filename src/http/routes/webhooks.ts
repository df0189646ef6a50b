import {
  addWebhook,
  assertSubscribes,
  listWebhooks,
  removeWebhook,
  testWebhook,
} from '../../webhooks/webhooks.js'
import { created, ok } from '../answers.js'
import type { Rooms } from '../rooms.js'
import { jsonBody } from '../body.js'
import { administering, publishing, type AddRoute } from '../route.js'
import * as shapes from '../schemas/answers/webhooks.js'
import { adminWebhookBody, webhookBody, webhooksQuery } from '../schemas/webhooks.js'

const OWN = ['name-invalid', 'namespace-not-granted'] as const
const ADDED = {
  summary: 'Add a receiver that is told of what happens',
  answers: { 201: shapes.webhook },
  codes: ['webhook-invalid', ...OWN],
}
const LISTED = { summary: 'Receivers, and how they do', answers: { 200: shapes.webhookList }, codes: OWN }
const REMOVED = {
  summary: 'Remove a receiver',
  answers: { 200: shapes.webhook },
  codes: ['webhook-unknown', ...OWN],
}
const TESTED = {
  summary: 'Send a ping now, and say what came back',
  answers: { 200: shapes.webhookTest },
  codes: ['webhook-unknown', ...OWN],
}
const KEY = { summary: 'The public key that webhooks are signed with', answers: { 200: shapes.webhookKey } }

/** Who is told of what happens: an admin's receivers of everything, and those of a namespace's owner. */
export function addWebhookRoutes(add: AddRoute, { context, webhookKey }: Rooms): void {
  const adding = { ...administering, body: jsonBody(adminWebhookBody), doc: ADDED }
  const subscribing = { ...publishing, body: jsonBody(webhookBody), doc: ADDED }
  const asking = { limit: 'proofs', doc: TESTED } as const
  const own = async (account: string, namespace: string): Promise<string> => {
    await assertSubscribes(context, namespace, account)
    return namespace
  }

  add('get', '/v1/webhooks/key', { doc: KEY }, () => ok({ publicKey: webhookKey.publicKey }))

  add('post', '/v1/admin/webhooks', adding, async ({ account, body }) =>
    created(await addWebhook(context, account, body)),
  )
  const listing = { scope: 'registry:admin', query: webhooksQuery, doc: LISTED } as const
  add('get', '/v1/admin/webhooks', listing, async ({ query }) =>
    ok({ webhooks: await listWebhooks(context, query) }),
  )
  add('delete', '/v1/admin/webhooks/:id', { ...administering, doc: REMOVED }, async ({ account, params }) =>
    ok(await removeWebhook(context, account, { id: params('id') })),
  )
  add('post', '/v1/admin/webhooks/:id/test', { ...administering, ...asking }, async ({ params }) =>
    ok(await testWebhook(context, webhookKey, { id: params('id') })),
  )

  add('post', '/v1/namespaces/:ns/webhooks', subscribing, async ({ account, params, body }) =>
    created(await addWebhook(context, account, { ...body, namespace: await own(account, params('ns')) })),
  )
  add(
    'get',
    '/v1/namespaces/:ns/webhooks',
    { scope: 'registry:publish', doc: LISTED },
    async ({ account, params }) =>
      ok({ webhooks: await listWebhooks(context, { namespace: await own(account, params('ns')) }) }),
  )
  add(
    'delete',
    '/v1/namespaces/:ns/webhooks/:id',
    { ...publishing, doc: REMOVED },
    async ({ account, params }) =>
      ok(
        await removeWebhook(context, account, {
          id: params('id'),
          namespace: await own(account, params('ns')),
        }),
      ),
  )
  add(
    'post',
    '/v1/namespaces/:ns/webhooks/:id/test',
    { ...publishing, ...asking },
    async ({ account, params }) =>
      ok(
        await testWebhook(context, webhookKey, {
          id: params('id'),
          namespace: await own(account, params('ns')),
        }),
      ),
  )
}
