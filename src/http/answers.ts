import { parseDigest, parseServerName } from 'countersign/core'
import type { NewClient } from '../auth/clients.js'
import { DPOP_ALGORITHMS } from '../auth/token/dpop.js'
import { SCOPES } from '../auth/scopes.js'
import { CLI_CLIENT } from '../auth/token/own.js'
import { readByDigest, readVersion, readVersions, summary } from '../publish/catalogue.js'
import type { Context } from '../publishers/context.js'
import { submitKeyEvent } from '../publishers/enrol.js'
import { documentOf } from '../review/queue.js'
import type { Answer, Call } from './route.js'
import { formatCursor } from './schemas.js'

// What rooms return, in the shapes of the wire.

export const ok = (body: unknown): Answer => ({ body })
export const created = (body: unknown): Answer => ({ status: 201, body })
export const cursorTo = (next: string | number | undefined) =>
  next === undefined ? {} : { cursor: formatCursor(next) }

type ReadCall = Pick<Call<unknown, unknown>, 'params' | 'viewer'>

export function serverOf({ params }: Pick<ReadCall, 'params'>): string {
  return parseServerName(`${params('ns')}/${params('name')}`).name
}

export async function showServer(context: Context, call: ReadCall): Promise<Answer> {
  const server = serverOf(call)
  const rows = await readVersions(context, server, await call.viewer())
  return ok({ server, namespace: call.params('ns'), versions: rows.map(summary) })
}

export async function showVersion(context: Context, call: ReadCall): Promise<Answer> {
  const named = { server: serverOf(call), version: call.params('version') }
  const row = await readVersion(context, named, await call.viewer())
  return ok({ ...summary(row), publishedAt: new Date(row.submittedAt).toISOString(), tools: row.toolDigests })
}

export async function showManifest(context: Context, call: ReadCall): Promise<Answer> {
  const row = await readByDigest(context, parseDigest(call.params('digest')), await call.viewer())
  return ok({ server: row.server, ...summary(row), envelope: row.envelope, document: documentOf(row) })
}

/** Enrolments at the namespace's keys; a revocation at the key it revokes. */
export async function enrolKey(
  context: Context,
  { account, params, body }: Call<{ event: string }, unknown>,
  revokes?: string,
): Promise<Answer> {
  return created(
    await submitKeyEvent(context, account, { namespace: params('ns'), text: body.event, revokes }),
  )
}

/** A new client is told its secret here, once; the audit is told only that there is one. */
export async function showClient(context: Context, by: string, client: NewClient): Promise<Answer> {
  const { clientId, clientSecret, account } = client
  const detail = JSON.stringify({ account })
  const record = { at: context.now(), account: by, action: 'client.create', target: clientId, detail }
  await context.store.addAuditRecord(record)
  return created({
    client_id: clientId,
    ...(clientSecret !== undefined && { client_secret: clientSecret }),
    ...(account !== undefined && { account }),
  })
}

/** RFC 9728: what this resource is, who gives tokens for it, and as which client the command line asks for one. */
export function resourceMetadata(
  publicUrl: string,
  external?: { readonly issuer: string; readonly clientId?: string | undefined },
) {
  const clientId = external === undefined ? CLI_CLIENT : external.clientId
  return {
    resource: publicUrl,
    // People come first: with an external issuer, our own server is for machines.
    authorization_servers: external === undefined ? [publicUrl] : [external.issuer, publicUrl],
    scopes_supported: SCOPES,
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
    // What needs a bound token says so when it is asked for: many tokens here never do.
    dpop_bound_access_tokens_required: false,
    ...(clientId === undefined ? {} : { countersign_client_id: clientId }),
  }
}
