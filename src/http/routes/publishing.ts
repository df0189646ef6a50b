import { openNames } from '../../publish/names.js'
import { publish } from '../../publish/publish.js'
import { created, ok } from '../answers.js'
import type { Rooms } from '../rooms.js'
import { envelopeBody } from '../body.js'
import { publishing, type AddRoute } from '../route.js'
import { publication } from '../schemas/answers/catalogue.js'

const CODES = [
  ...['envelope-malformed', 'base64-invalid', 'json-not-canonical', 'manifest-invalid', 'manifest-refused'],
  ...['key-unknown', 'key-inactive', 'key-waiting', 'namespace-mismatch', 'namespace-not-granted'],
  ...['namespace-suspended', 'not-trusted-here', 'version-taken', 'server-taken', 'signature-invalid'],
  ...[
    'signature-malformed',
    'registry-mismatch',
    'expired',
    'event-too-large',
    'slot-invalid',
    'input-too-large',
  ],
] as const

/** Manifests, from a publisher's machine or from a workflow that is trusted to publish. */
export function addPublishingRoutes(add: AddRoute, { context }: Rooms): void {
  const publishContext = { ...context, names: openNames(context.store) }
  const submission = {
    ...publishing,
    body: envelopeBody,
    trustedPublishing: true,
    doc: {
      summary: 'Publish a signed manifest',
      description:
        'The compact JWS as it was signed. The same bytes again are answered with 200 and where they stand; a ' +
        'version stands once, for ever.',
      answers: { 200: publication, 201: publication },
      codes: CODES,
    },
  } as const

  add('post', '/v1/manifests', submission, async ({ principal, body }) => {
    const { created: isNew, ...published } = await publish(publishContext, principal, body)
    return isNew ? created(published) : ok(published)
  })
}
