import { isJsonObject, refuse, type JsonObject } from '../../core/index.js'
import { assertRoles } from './accounts.js'
import { jsonBody, openCall } from '../call.js'
import type { Context, Input } from '../context.js'
import { writeOutput } from '../files.js'
import { shownMember, textsOf } from '../members.js'
import { readPublicKeys } from '../login/oauth/client-key.js'
import { dim, green, pairs, red, table, type Line } from '../output.js'
import { fetchPages, withQuery } from '../pages.js'
import { shellWord } from '../escape.js'
import { confirm } from '../prompt.js'

interface CreateOptions {
  readonly role: readonly string[]
  readonly account?: string
  readonly secretOut?: string
  readonly publicKey?: string
  readonly public?: boolean
  readonly redirectUri?: readonly string[]
}

/** `countersign admin client create`: the one moment at which a secret can be seen. */
export async function createClient(context: Context, { args, options }: Input<CreateOptions>): Promise<void> {
  const answer = await openCall(context)(
    'POST',
    '/v1/admin/clients',
    jsonBody(bodyOf(args[0] ?? '', options)),
  )
  const id = isJsonObject(answer) ? answer['client_id'] : undefined
  if (!isJsonObject(answer) || typeof id !== 'string') refuse('registry-error', 'the registry gave no client')
  const { role: roles } = options
  const secret = takeSecret(answer, options)
  const account = shownMember(answer, 'account')
  context.out.result({ clientId: id, account: account === '' ? null : account, roles, ...secret.shown }, [
    ...pairs([
      ['client', id],
      ...(account === '' ? [] : [['account', account] as const]),
      ['roles', roles.join(' ')],
      ...secret.rows,
    ]),
    ...secret.lines,
  ])
}

function bodyOf(name: string, options: CreateOptions): object {
  const { role: roles, account, publicKey, secretOut, redirectUri } = options
  assertRoles(roles)
  const isPublic = options.public === true
  if (isPublic && (publicKey !== undefined || secretOut !== undefined || account !== undefined)) {
    refuse('usage', '--public is without secret, key and account')
  }
  if (!isPublic && redirectUri !== undefined) refuse('usage', '--redirect-uri goes with --public')
  return {
    name,
    roles,
    ...(account !== undefined && { account }),
    ...(publicKey !== undefined && { auth: 'key', jwks: readPublicKeys(publicKey) }),
    ...(isPublic && { auth: 'public', redirectUris: redirectUri ?? [] }),
  }
}

interface TakenSecret {
  readonly shown: object
  readonly rows: readonly (readonly [string, string])[]
  readonly lines: readonly Line[]
}

/** Written where it was asked for, or shown; clients with a key and public ones have none. */
function takeSecret(
  answer: JsonObject,
  { secretOut, publicKey, public: isPublic }: CreateOptions,
): TakenSecret {
  const secret = answer['client_secret']
  if (publicKey !== undefined || isPublic === true) {
    return {
      shown: {},
      rows: [['proof', publicKey === undefined ? 'none (public)' : 'its own key']],
      lines: [],
    }
  }
  if (typeof secret !== 'string') refuse('registry-error', 'the registry gave no secret')
  if (secretOut === undefined) {
    const lines = ['The secret is not shown again.']
    return { shown: { clientSecret: secret }, rows: [['secret', secret]], lines }
  }
  writeOutput(secretOut, `${secret}\n`, 0o600)
  return { shown: { secretFile: secretOut }, rows: [['secret in', secretOut]], lines: [] }
}

/** `countersign admin client list` */
export async function listClients(context: Context, { options }: Input<{ account?: string }>): Promise<void> {
  const path = withQuery('/v1/admin/clients', { account: options.account })
  const clients = await fetchPages(openCall(context), path, 'clients')
  context.out.result(
    { clients },
    table(
      ['CLIENT', 'NAME', 'ACCOUNT', 'PROOF', 'SCOPES', 'STATE'],
      clients.map((one) => [
        idOf(one),
        shownMember(one, 'name'),
        shownMember(one, 'account'),
        shownMember(one, 'auth') || shownMember(one, 'authMethod'),
        textsOf(one['scopes']).join(' '),
        one['disabled'] === true ? red('disabled') : '',
      ]),
    ),
  )
}

function idOf(client: JsonObject): string {
  return shownMember(client, 'client_id') || shownMember(client, 'clientId')
}

/** `countersign admin client disable` */
export async function disableClient(
  context: Context,
  { args, options }: Input<{ yes?: boolean }>,
): Promise<void> {
  await confirm(context, `Refuse client ${args[0] ?? ''} and its tokens from now on?`, options)
  await setState(context, args[0] ?? '', 'disable')
}

/** `countersign admin client enable` */
export async function enableClient(context: Context, { args }: Input): Promise<void> {
  await setState(context, args[0] ?? '', 'enable')
}

async function setState(context: Context, id: string, verb: 'disable' | 'enable'): Promise<void> {
  await openCall(context)('POST', `/v1/admin/clients/${encodeURIComponent(id)}/${verb}`)
  const disabled = verb === 'disable'
  context.out.result({ clientId: id, disabled }, [
    [disabled ? red('disabled') : green('enabled'), ' ', id],
    ...(disabled ? [[dim(`take it back: countersign admin client enable ${shellWord(id)}`)]] : []),
  ])
}
