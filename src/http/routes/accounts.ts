import type { NewCode } from '../../auth/accounts.js'
import { createClientFor, setClientDisabled } from '../../auth/clients.js'
import { AuthError } from '../../auth/errors.js'
import type { AccountRow, ClientRow } from '../../storage/store.js'
import * as answers from '../answers.js'
import { created, cursorTo, ok } from '../answers.js'
import type { Rooms } from '../rooms.js'
import { jsonBody } from '../body.js'
import { administering, type AddRoute, type Call } from '../route.js'
import * as schemas from '../schemas/accounts.js'
import * as shapes from '../schemas/answers/accounts.js'

/** Who one is here, accounts with their roles and codes, and OAuth clients. */
export function addAccountRoutes(add: AddRoute, rooms: Rooms): void {
  const self = {
    scope: 'any',
    doc: { summary: 'What your token makes of you', answers: { 200: shapes.self } },
  } as const
  add('get', '/v1/account', self, async (call) => ok(await showSelf(rooms, call)))
  addPeopleRoutes(add, rooms)
  addChangeRoutes(add, rooms)
  addClientRoutes(add, rooms)
}

const reading = { scope: 'registry:admin' } as const
const changed = (summary: string) => ({
  summary,
  answers: { 200: shapes.accountView },
  codes: ['account-unknown', 'account-invalid', 'last-admin'],
})

function addPeopleRoutes(add: AddRoute, { auth, publicUrl }: Rooms): void {
  const { accounts } = auth
  const listing = {
    ...reading,
    query: schemas.accountsQuery,
    doc: { summary: 'Accounts by name', answers: { 200: shapes.accountList } },
  }
  add('get', '/v1/admin/accounts', listing, async ({ query }) => {
    const rows = await accounts.list(query.limit, query.cursor)
    const next = rows.length === query.limit ? rows.at(-1)?.account : undefined
    return ok({ accounts: rows.map(showAccount), ...cursorTo(next) })
  })
  add('get', '/v1/admin/accounts/:account', { ...reading, doc: changed('An account') }, async ({ params }) =>
    ok(showAccount(await accounts.read(params('account')))),
  )
  const service = {
    ...administering,
    body: jsonBody(schemas.serviceBody),
    doc: {
      summary: 'Make a service account',
      answers: { 201: shapes.accountView },
      codes: ['account-taken', 'account-invalid', 'account-unknown'],
    },
  }
  add('post', '/v1/admin/accounts', service, async ({ account, body }) =>
    created(showAccount(await accounts.createService(account, body))),
  )
  const invitation = {
    ...administering,
    secretAnswer: true,
    body: jsonBody(schemas.invitationBody),
    doc: {
      summary: 'Invite a person: a code for the page that makes their account',
      answers: { 201: shapes.invitation },
      codes: ['account-invalid'],
    },
  } as const
  add('post', '/v1/admin/invitations', invitation, async ({ account, body }) => {
    assertPeopleHere(auth)
    const code = await accounts.invite(account, body.roles)
    return created({ ...showCode(code, `${publicUrl}/account/invitation`), roles: body.roles })
  })
  const recovery = {
    ...administering,
    secretAnswer: true,
    doc: {
      summary: 'Let a person choose another password',
      answers: { 201: shapes.recovery },
      codes: ['account-unknown', 'account-invalid'],
    },
  } as const
  add('post', '/v1/admin/accounts/:account/recovery', recovery, async ({ account, params }) => {
    assertPeopleHere(auth)
    const code = await accounts.startRecovery(account, params('account'))
    return created(showCode(code, `${publicUrl}/account/recover`))
  })
}

/** A code is for our own pages, which are not there when people log in elsewhere. */
function assertPeopleHere({ hasExternalIssuer }: Rooms['auth']): void {
  if (!hasExternalIssuer) return
  throw new AuthError('account-invalid', 'people log in at the external issuer: there is no password here')
}

function addChangeRoutes(add: AddRoute, { auth }: Rooms): void {
  const { accounts } = auth
  const roles = {
    ...administering,
    body: jsonBody(schemas.rolesBody),
    doc: changed('Give and take roles'),
  }
  add('put', '/v1/admin/accounts/:account/roles', roles, async ({ account, params, body }) =>
    ok(showAccount(await accounts.setRoles(account, params('account'), body.roles))),
  )
  for (const [word, disabled] of [['disable', true] as const, ['enable', false] as const]) {
    const change = { ...administering, doc: changed(disabled ? 'Disable an account' : 'Enable an account') }
    add('post', `/v1/admin/accounts/:account/${word}`, change, async ({ account, params }) =>
      ok(showAccount(await accounts.setDisabled(account, params('account'), disabled))),
    )
  }
  const signOut = { ...administering, doc: changed('End every session and token of an account') }
  add('post', '/v1/admin/accounts/:account/sign-out', signOut, async ({ account, params }) =>
    ok(showAccount(await accounts.signOut(account, params('account')))),
  )
}

function addClientRoutes(add: AddRoute, { context }: Rooms): void {
  const { store, now } = context
  const client = {
    ...administering,
    secretAnswer: true,
    body: jsonBody(schemas.clientBody),
    doc: {
      summary: 'Make an OAuth client',
      answers: { 201: shapes.newClient },
      codes: ['client-invalid', 'account-unknown', 'account-invalid', 'account-disabled'],
    },
  } as const
  add('post', '/v1/admin/clients', client, async ({ account, body }) =>
    answers.showClient(context, account, await createClientFor(store, { by: account, ...body }, now())),
  )
  const listing = {
    ...reading,
    query: schemas.clientsQuery,
    doc: { summary: 'OAuth clients', answers: { 200: shapes.clientList } },
  }
  add('get', '/v1/admin/clients', listing, async ({ query }) => {
    const rows = await store.listClients(query.limit, query.cursor, query.account)
    const next = rows.length === query.limit ? rows.at(-1)?.clientId : undefined
    return ok({ clients: rows.map(showClientRow), ...cursorTo(next) })
  })
  for (const [word, disabled] of [['disable', true] as const, ['enable', false] as const]) {
    const change = {
      ...administering,
      doc: {
        summary: disabled ? 'Disable a client' : 'Enable a client',
        answers: { 200: shapes.client },
        codes: ['client-unknown', 'client-invalid'],
      },
    }
    add('post', `/v1/admin/clients/:id/${word}`, change, async ({ account, params }) =>
      ok(showClientRow(await setClientDisabled(store, account, params('id'), disabled, now()))),
    )
  }
}

/** What a token makes of its bearer: for `whoami`, with whatever token. */
async function showSelf({ context }: Rooms, { principal, account }: Call<unknown, unknown>) {
  const row = await context.store.readAccount(account)
  const { roles, scopes, clientId, publishes } = principal
  return {
    ...{ account, login: row?.login, kind: row?.kind, roles, scopes, clientId },
    ...{ namespaces: await context.store.readAccountNamespaces(account), publishes },
  }
}

function showAccount(row: AccountRow) {
  const { account, kind, login, roles, disabled, owner, subject, createdAt } = row
  return {
    ...{ account, kind, login, roles, disabled, owner, external: subject },
    createdAt: new Date(createdAt).toISOString(),
  }
}

/** The page asks for the code in a field of its own: a code in a URL ends in logs and histories. */
function showCode({ code, expiresAt }: NewCode, url: string) {
  return { code, url, expires: new Date(expiresAt).toISOString() }
}

const AUTH_WORDS = { client_secret_basic: 'secret', private_key_jwt: 'key', none: 'public' } as const

/** Everything but its secret's hash; its keys are public ones. */
function showClientRow(row: ClientRow) {
  const { clientId, account, name, authMethod, jwks, redirectUris, scopes, disabled, createdAt } = row
  return {
    ...{ client_id: clientId, account, name, auth: AUTH_WORDS[authMethod] },
    jwks: jwks === undefined ? undefined : (JSON.parse(jwks) as unknown),
    redirectUris: authMethod === 'none' ? redirectUris : undefined,
    ...{ scopes, disabled, createdAt: new Date(createdAt).toISOString() },
  }
}
