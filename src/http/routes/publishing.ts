import { openNames } from '../../publish/names.js'
import { publish } from '../../publish/publish.js'
import { created, ok } from '../answers.js'
import type { Rooms } from '../rooms.js'
import { envelopeBody } from '../body.js'
import { publishing, type AddRoute } from '../route.js'

/** Manifests, from a publisher's machine or from a workflow that is trusted to publish. */
export function addPublishingRoutes(add: AddRoute, { context }: Rooms): void {
  const publishContext = { ...context, names: openNames(context.store) }
  const submission = { ...publishing, body: envelopeBody, trustedPublishing: true } as const

  add('post', '/v1/manifests', submission, async ({ principal, body }) => {
    const { created: isNew, ...published } = await publish(publishContext, principal, body)
    return isNew ? created(published) : ok(published)
  })
}
