import { z } from 'zod'
import type { Fixed } from './fixed.js'
import type { JsonSchema } from './types.js'

const JSON_TYPE = 'application/json'
const object = z.record(z.string(), z.unknown())
const error = z
  .object({ error: z.string(), error_description: z.string().optional() })
  .meta({ id: 'OAuthError', description: 'RFC 6749 5.2.' })
const REFUSED = {
  400: ['The request is not one that can be granted.', error],
  401: ['The client is not known, or not who it says.', error],
} as const

const form = (required: readonly string[], ...names: string[]): JsonSchema => ({
  type: 'object',
  required,
  properties: Object.fromEntries([...required, ...names].map((name) => [name, { type: 'string' }])),
})

const token = z
  .object({
    access_token: z.string(),
    token_type: z.string(),
    expires_in: z.int(),
    scope: z.string().optional(),
  })
  .meta({ id: 'Token' })

const METADATA: readonly Fixed[] = [
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
].map((path) => ({
  path,
  summary: 'Metadata of the authorization server (RFC 8414)',
  answer: [JSON_TYPE, object],
}))

const FOR_MACHINES: readonly Fixed[] = [
  {
    method: 'post',
    path: '/oauth/token',
    summary: 'Get an access token',
    description:
      'Grants: client credentials, authorization code with PKCE, refresh token, device code, and token exchange ' +
      '(RFC 8693) for the identity token of a workflow. `resource` is the URL of this registry.',
    form: form(['grant_type'], ...['scope', 'resource', 'client_id', 'client_secret']),
    answer: [JSON_TYPE, token],
    problems: [413, 429],
    others: { ...REFUSED, 429: ['Too often: from this address, or for this account.', error] },
  },
  {
    path: '/oauth/jwks',
    summary: 'Keys that access tokens are signed with',
    answer: ['application/jwk-set+json', object],
  },
]

const FOR_PEOPLE: readonly Fixed[] = [
  {
    method: 'post',
    path: '/oauth/device',
    summary: 'Begin a login on another device (RFC 8628)',
    form: form(['client_id'], 'scope', 'resource'),
    answer: [JSON_TYPE, object],
    problems: [413, 429],
    others: REFUSED,
  },
  {
    method: 'post',
    path: '/oauth/revoke',
    summary: 'Give a token back (RFC 7009)',
    form: form(['token'], 'client_id'),
    answer: [JSON_TYPE],
    problems: [413, 429],
    others: REFUSED,
  },
]

/** People who log in elsewhere have no pages here. */
export function tokenOperations(hasExternalIssuer: boolean): readonly Fixed[] {
  return [...METADATA, ...FOR_MACHINES, ...(hasExternalIssuer ? [] : FOR_PEOPLE)]
}
