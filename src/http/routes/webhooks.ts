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
import { adminWebhookBody, webhookBody, webhooksQuery } from '../schemas/webhooks.js'

/** Who is told of what happens: an admin's receivers of everything, and those of a namespace's owner. */
export function addWebhookRoutes(add: AddRoute, { context, webhookKey }: Rooms): void {
  const adding = { ...administering, body: jsonBody(adminWebhookBody) }
  const subscribing = { ...publishing, body: jsonBody(webhookBody) }
  const asking = { limit: 'proofs' } as const
  const own = async (account: string, namespace: string): Promise<string> => {
    await assertSubscribes(context, namespace, account)
    return namespace
  }

  add('get', '/v1/webhooks/key', {}, () => ok({ publicKey: webhookKey.publicKey }))

  add('post', '/v1/admin/webhooks', adding, async ({ account, body }) =>
    created(await addWebhook(context, account, body)),
  )
  add('get', '/v1/admin/webhooks', { scope: 'registry:admin', query: webhooksQuery }, async ({ query }) =>
    ok({ webhooks: await listWebhooks(context, query) }),
  )
  add('delete', '/v1/admin/webhooks/:id', administering, async ({ account, params }) =>
    ok(await removeWebhook(context, account, { id: params('id') })),
  )
  add('post', '/v1/admin/webhooks/:id/test', { ...administering, ...asking }, async ({ params }) =>
    ok(await testWebhook(context, webhookKey, { id: params('id') })),
  )

  add('post', '/v1/namespaces/:ns/webhooks', subscribing, async ({ account, params, body }) =>
    created(await addWebhook(context, account, { ...body, namespace: await own(account, params('ns')) })),
  )
  add('get', '/v1/namespaces/:ns/webhooks', { scope: 'registry:publish' }, async ({ account, params }) =>
    ok({ webhooks: await listWebhooks(context, { namespace: await own(account, params('ns')) }) }),
  )
  add('delete', '/v1/namespaces/:ns/webhooks/:id', publishing, async ({ account, params }) =>
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
