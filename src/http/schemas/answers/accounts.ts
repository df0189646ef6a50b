import { z } from 'zod'
import { account, cursor, namespace, role, server, time } from './common.js'

const kind = z.enum(['person', 'service'])

export const self = z
  .object({
    account,
    login: z.string().optional(),
    kind: kind.optional(),
    roles: z.array(role),
    scopes: z.array(z.string()),
    clientId: z.string(),
    namespaces: z.array(namespace),
    publishes: z
      .object({ trustedPublishers: z.array(z.string()), servers: z.array(z.string()) })
      .optional()
      .meta({ description: 'Of a token from trusted publishing: all it may do.' }),
  })
  .meta({ id: 'Self' })

export const accountView = z
  .object({
    account,
    kind,
    login: z.string().optional(),
    roles: z.array(role),
    disabled: z.boolean(),
    owner: account.optional(),
    external: z.object({ issuer: z.string(), sub: z.string() }).optional(),
    createdAt: time,
  })
  .meta({ id: 'Account' })
export const accountList = z.object({ accounts: z.array(accountView), cursor }).meta({ id: 'AccountList' })

const code = {
  code: z.string().meta({ description: 'Shown once.' }),
  url: z.url().meta({ description: 'The page that asks for the code.' }),
  expires: time,
}
export const recovery = z.object(code).meta({ id: 'RecoveryCode' })
export const invitation = z.object({ ...code, roles: z.array(role) }).meta({ id: 'Invitation' })

export const newClient = z
  .object({
    client_id: z.string(),
    client_secret: z.string().optional().meta({ description: 'Shown once.' }),
    account: account.optional(),
  })
  .meta({ id: 'NewClient' })

export const client = z
  .object({
    client_id: z.string(),
    account: account.optional(),
    name: z.string(),
    auth: z.enum(['secret', 'key', 'public']),
    jwks: z.record(z.string(), z.unknown()).optional(),
    redirectUris: z.array(z.string()).optional(),
    scopes: z.array(z.string()),
    disabled: z.boolean(),
    createdAt: time,
  })
  .meta({ id: 'Client' })
export const clientList = z.object({ clients: z.array(client), cursor }).meta({ id: 'ClientList' })

export const trustedPublisher = z
  .object({
    id: z.string(),
    namespace,
    server: server.optional(),
    issuer: z.string(),
    claims: z.record(z.string(), z.string()),
    account,
    by: account,
    createdAt: time,
  })
  .meta({ id: 'TrustedPublisher' })
export const trustedPublisherList = z
  .object({ trustedPublishers: z.array(trustedPublisher), cursor })
  .meta({ id: 'TrustedPublisherList' })

export const resourceMetadata = z
  .object({
    resource: z.url(),
    authorization_servers: z.array(z.url()),
    scopes_supported: z.array(z.string()),
    bearer_methods_supported: z.array(z.string()),
    dpop_signing_alg_values_supported: z.array(z.string()),
    dpop_bound_access_tokens_required: z.boolean(),
    countersign_client_id: z.string().optional(),
  })
  .meta({ id: 'ResourceMetadata', description: 'RFC 9728.' })
