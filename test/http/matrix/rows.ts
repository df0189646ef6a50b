import { encodeKeyX, formatEvent, signKeyAddEvent, signKeyRevokeEvent } from 'countersign/core'
import { newKey, sampleManifest, signManifest } from '../../support/registry.js'
import type { MatrixWorld, Space, Which } from './world.js'

/** What a caller with the right scope gets: `let in`, or the code of the refusal. By role where roles differ. */
export type Expected =
  string | Readonly<Partial<Record<'publisher' | 'reviewer' | 'admin' | 'auditor', string>>>

/**
 * One route: where, with which body, and what happens to who has the scope when the thing is of their own namespace and
 * when it is of somebody else's. Bodies name an outdated `after` or things that are not there, so that whoever is let in
 * changes nothing.
 */
export interface Row {
  readonly path: (world: MatrixWorld, which: Which) => string
  readonly body?: (world: MatrixWorld, which: Which) => unknown
  readonly own: Expected
  readonly foreign: Expected
}

const LET_IN = 'let in'
const decision = { after: 0, reason: 'because' }
const sig = `${'a'.repeat(8)}..${'b'.repeat(8)}`
const digest = ({ spaces }: MatrixWorld, which: Which): string => spaces[which].approved
const server = ({ spaces }: MatrixWorld, which: Which): string => `${spaces[which].namespace}/weather`
const tool = ({ spaces }: MatrixWorld, which: Which): string => spaces[which].tool
const namespace = ({ spaces }: MatrixWorld, which: Which): string => spaces[which].namespace

/** Anyone's, or an admin's: whose namespace it is about makes no difference. */
function plain(path: Row['path'] | string, body?: Row['body'] | object): Row {
  return {
    path: typeof path === 'string' ? () => path : path,
    ...(body !== undefined && { body: typeof body === 'function' ? (body as Row['body'] & {}) : () => body }),
    own: LET_IN,
    foreign: LET_IN,
  }
}

/** Of the namespace's owner alone. */
function owners(path: Row['path'], body?: Row['body'] | object, foreign = 'namespace-not-granted'): Row {
  return { ...plain(path, body), foreign }
}

/** A reviewer's decision, but never about one's own work, however well informed. */
function impartial(path: Row['path'], latest: (space: Space) => number, more: object = {}): Row {
  const body = ({ spaces }: MatrixWorld, which: Which) => ({
    ...more,
    after: which === 'own' ? latest(spaces[which]) : 0,
  })
  return { ...plain(path, body), own: 'own-work' }
}

/** A denial: every reviewer's, and the owner's of what is its own. */
function denial(path: Row['path']): Row {
  return {
    ...plain(path, decision),
    foreign: { reviewer: LET_IN, publisher: 'decider-not-allowed' },
  }
}

/** THE MATRIX: a route that is not here fails the test. */
export const ROWS: Readonly<Record<string, Row>> = {
  'GET /.well-known/oauth-protected-resource': plain('/.well-known/oauth-protected-resource'),
  'POST /v1/bootstrap': plain('/v1/bootstrap', { account: 'nobody', password: 'x' }),
  'GET /v1/servers': plain('/v1/servers'),
  'GET /v1/servers/:ns/:name': plain((world, which) => `/v1/servers/${server(world, which)}`),
  'GET /v1/servers/:ns/:name/versions': plain(
    (world, which) => `/v1/servers/${server(world, which)}/versions`,
  ),
  'GET /v1/servers/:ns/:name/versions/:version': plain(
    (world, which) => `/v1/servers/${server(world, which)}/versions/1.0.0`,
  ),
  'GET /v1/servers/:ns/:name/diff': plain(
    (world, which) => `/v1/servers/${server(world, which)}/diff?from=1.0.0&to=1.0.0`,
  ),
  'GET /v1/manifests/:digest': plain((world, which) => `/v1/manifests/${digest(world, which)}`),
  'GET /v1/tools/:digest': plain((world, which) => `/v1/tools/${tool(world, which)}`),
  'GET /v1/host-policy': plain('/v1/host-policy'),
  'GET /v1/lookup': plain('/v1/lookup?package=npm:weather'),
  'GET /v1/webhooks/key': plain('/v1/webhooks/key'),
  'GET /v1/log/entries/:index': plain('/v1/log/entries/0'),
  'POST /v1/log/seen': plain('/v1/log/seen', {}),
  'GET /v1/account': plain('/v1/account'),

  'POST /v1/namespaces': {
    ...plain('/v1/namespaces', (world: MatrixWorld, which: Which) => ({
      namespace: namespace(world, which),
      proof: 'dns',
    })),
    own: 'namespace-taken',
    foreign: 'namespace-taken',
  },
  'POST /v1/namespaces/:ns/proofs': owners(
    (world, which) => `/v1/namespaces/${namespace(world, which)}/proofs`,
    { challenge: 'A'.repeat(43), event: '{}' },
    LET_IN,
  ),
  'POST /v1/namespaces/:ns/check': {
    ...plain((world, which) => `/v1/namespaces/${namespace(world, which)}/check`, {}),
    foreign: { admin: LET_IN, publisher: 'namespace-not-granted' },
  },
  'GET /v1/namespaces/:ns': plain((world, which) => `/v1/namespaces/${namespace(world, which)}`),
  'POST /v1/namespaces/:ns/keys': owners(
    (world, which) => `/v1/namespaces/${namespace(world, which)}/keys`,
    (world: MatrixWorld, which: Which) => ({ event: addition(world, which) }),
  ),
  'POST /v1/namespaces/:ns/keys/:kid/revocation': owners(
    (world, which) =>
      `/v1/namespaces/${namespace(world, which)}/keys/${world.spaces[which].key.kid}/revocation`,
    (world: MatrixWorld, which: Which) => ({ event: ending(world, which) }),
  ),
  'POST /v1/namespaces/:ns/webhooks': owners(
    (world, which) => `/v1/namespaces/${namespace(world, which)}/webhooks`,
    { url: 'ftp://hooks.example/' },
  ),
  'GET /v1/namespaces/:ns/webhooks': owners(
    (world, which) => `/v1/namespaces/${namespace(world, which)}/webhooks`,
  ),
  'DELETE /v1/namespaces/:ns/webhooks/:id': owners(
    (world, which) => `/v1/namespaces/${namespace(world, which)}/webhooks/none`,
  ),
  'POST /v1/namespaces/:ns/webhooks/:id/test': owners(
    (world, which) => `/v1/namespaces/${namespace(world, which)}/webhooks/none/test`,
    {},
  ),
  // Only the keys of the caller's namespaces are looked at.
  'POST /v1/manifests': owners(
    () => '/v1/manifests',
    (world: MatrixWorld, which: Which) => envelope(world, which),
    'key-unknown',
  ),

  'GET /v1/review': plain('/v1/review'),
  'GET /v1/review/:digest': plain((world, which) => `/v1/review/${digest(world, which)}`),
  'POST /v1/review/:digest/comments': plain((world, which) => `/v1/review/${digest(world, which)}/comments`, {
    text: 'seen',
  }),
  'POST /v1/review/:digest/approval': impartial(
    (world, which) => `/v1/review/${world.spaces[which].pending}/approval`,
    ({ pendingIndex }) => pendingIndex,
  ),
  'POST /v1/review/:digest/signatures': plain(
    (world, which) => `/v1/review/${world.spaces[which].pending}/signatures`,
    { signature: sig },
  ),
  'POST /v1/review/:digest/rejection': plain(
    (world, which) => `/v1/review/${world.spaces[which].pending}/rejection`,
    decision,
  ),
  'POST /v1/manifests/:digest/withdrawal': {
    ...plain((world, which) => `/v1/manifests/${world.spaces[which].pending}/withdrawal`, decision),
    foreign: 'namespace-not-granted',
  },
  'POST /v1/manifests/:digest/deprecation': denial(
    (world, which) => `/v1/manifests/${digest(world, which)}/deprecation`,
  ),
  'POST /v1/manifests/:digest/revocation': denial(
    (world, which) => `/v1/manifests/${digest(world, which)}/revocation`,
  ),
  // A tool's digest may stand in anybody's manifests: that is for reviewers.
  'POST /v1/tools/:digest/revocation': {
    ...denial((world, which) => `/v1/tools/${tool(world, which)}/revocation`),
    own: { reviewer: LET_IN, publisher: 'decider-not-allowed' },
  },
  'POST /v1/servers/:ns/:name/revocation': denial(
    (world, which) => `/v1/servers/${server(world, which)}/revocation`,
  ),
  'POST /v1/manifests/:digest/reinstatement': impartial(
    (world, which) => `/v1/manifests/${world.spaces[which].revoked}/reinstatement`,
    ({ revokeIndex }) => revokeIndex,
    { reason: 'because' },
  ),
  'POST /v1/tools/:digest/reinstatement': plain(
    (world, which) => `/v1/tools/${tool(world, which)}/reinstatement`,
    decision,
  ),
  'POST /v1/servers/:ns/:name/reinstatement': plain(
    (world, which) => `/v1/servers/${server(world, which)}/reinstatement`,
    decision,
  ),
  'POST /v1/manifests/:digest/reinstatement/signatures': plain(
    (world, which) => `/v1/manifests/${world.spaces[which].revoked}/reinstatement/signatures`,
    { signature: sig },
  ),
  'POST /v1/tools/:digest/reinstatement/signatures': plain(
    (world, which) => `/v1/tools/${tool(world, which)}/reinstatement/signatures`,
    { signature: sig },
  ),
  'POST /v1/servers/:ns/:name/reinstatement/signatures': plain(
    (world, which) => `/v1/servers/${server(world, which)}/reinstatement/signatures`,
    { signature: sig },
  ),

  'GET /v1/policy': plain('/v1/policy'),
  'PUT /v1/policy': plain('/v1/policy', { after: 999, policy: {} }),
  'GET /v1/audit': plain('/v1/audit'),
  'PUT /v1/admin/namespaces/:ns': plain('/v1/admin/namespaces/net.other', { account: 'nobody' }),
  'GET /v1/admin/accounts': plain('/v1/admin/accounts'),
  'POST /v1/admin/accounts': plain('/v1/admin/accounts', { name: 'Not A Name', roles: ['auditor'] }),
  'GET /v1/admin/accounts/:account': plain('/v1/admin/accounts/nobody'),
  'PUT /v1/admin/accounts/:account/roles': plain('/v1/admin/accounts/nobody/roles', { roles: [] }),
  'POST /v1/admin/accounts/:account/disable': plain('/v1/admin/accounts/nobody/disable', {}),
  'POST /v1/admin/accounts/:account/enable': plain('/v1/admin/accounts/nobody/enable', {}),
  'POST /v1/admin/accounts/:account/sign-out': plain('/v1/admin/accounts/nobody/sign-out', {}),
  'POST /v1/admin/accounts/:account/recovery': plain('/v1/admin/accounts/nobody/recovery', {}),
  'POST /v1/admin/invitations': plain('/v1/admin/invitations', { roles: [] }),
  'GET /v1/admin/clients': plain('/v1/admin/clients'),
  'POST /v1/admin/clients': plain('/v1/admin/clients', { name: 'x', account: 'nobody', roles: ['auditor'] }),
  'POST /v1/admin/clients/:id/disable': plain('/v1/admin/clients/none/disable', {}),
  'POST /v1/admin/clients/:id/enable': plain('/v1/admin/clients/none/enable', {}),
  'GET /v1/admin/trusted-publishers': plain('/v1/admin/trusted-publishers'),
  'POST /v1/admin/trusted-publishers': plain('/v1/admin/trusted-publishers', {
    ...{ namespace: 'com.own', provider: 'oidc', issuer: 'ftp://issuer.example', claims: { sub: 'x' } },
  }),
  'DELETE /v1/admin/trusted-publishers/:id': plain('/v1/admin/trusted-publishers/none'),
  'GET /v1/admin/webhooks': plain('/v1/admin/webhooks'),
  'POST /v1/admin/webhooks': plain('/v1/admin/webhooks', { url: 'ftp://hooks.example/' }),
  'DELETE /v1/admin/webhooks/:id': plain('/v1/admin/webhooks/none'),
  'POST /v1/admin/webhooks/:id/test': plain('/v1/admin/webhooks/none/test', {}),
  'POST /v1/admin/roots': plain('/v1/admin/roots', {}),
}

/** Signed by the namespace's own key, as a thief of it would: the account is what does not fit. `after` is outdated. */
function addition({ identity, spaces }: MatrixWorld, which: Which): string {
  const { namespace: ns, key } = spaces[which]
  return formatEvent(signKeyAddEvent({ namespace: ns, role: 'sign', after: 0 }, identity, newKey(), key))
}

function ending({ identity, spaces }: MatrixWorld, which: Which): string {
  const { namespace: ns, key } = spaces[which]
  const event = { namespace: ns, kid: key.kid, reason: 'superseded', after: 0 } as const
  return formatEvent(signKeyRevokeEvent(event, identity, key))
}

/** A manifest of the namespace, signed with its key; a version that stands with other content. */
function envelope({ identity, spaces }: MatrixWorld, which: Which): string {
  const { namespace: ns, key } = spaces[which]
  const manifest = sampleManifest(identity, {
    server: `${ns}/weather`,
    description: encodeKeyX(key.publicKey),
  })
  return signManifest(manifest, key)
}
