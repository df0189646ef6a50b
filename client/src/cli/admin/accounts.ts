import { CountersignError, isJsonObject, refuse, type JsonObject, type JsonValue } from '../../core/index.js'
import { jsonBody, openCall, type Call } from '../call.js'
import type { Context, Input } from '../context.js'
import { shownMember, textsOf } from '../members.js'
import { bold, dim, green, pairs, red, table, type Line } from '../output.js'
import { fetchPages } from '../pages.js'
import { shellWord } from '../escape.js'
import { confirm } from '../prompt.js'

export const ROLES: readonly string[] = ['publisher', 'reviewer', 'admin', 'auditor']

/** @throws CountersignError `usage` */
export function assertRoles(roles: readonly string[]): void {
  if (!roles.every((role) => ROLES.includes(role))) refuse('usage', `a role is one of ${ROLES.join(', ')}`)
}

/** `countersign admin accounts list` */
export async function listAccounts(context: Context): Promise<void> {
  const accounts = await fetchPages(openCall(context), '/v1/admin/accounts?limit=100', 'accounts')
  context.out.result(
    { accounts },
    table(
      ['ACCOUNT', 'LOGIN', 'KIND', 'ROLES', 'STATE', 'OWNER'],
      accounts.map((one) => [
        shownMember(one, 'account'),
        loginOf(one),
        shownMember(one, 'kind'),
        textsOf(one['roles']).join(' '),
        one['disabled'] === true ? red('disabled') : '',
        shownMember(one, 'owner'),
      ]),
    ),
  )
}

/** The login here, or the subject at an external issuer. */
function loginOf(account: JsonObject): string {
  const { external } = account
  return shownMember(account, 'login') || (isJsonObject(external) ? shownMember(external, 'sub') : '')
}

/** `countersign admin accounts show` */
export async function showAccount(context: Context, { args }: Input): Promise<void> {
  const account = await fetchAccount(openCall(context), args[0] ?? '')
  context.out.result(account, accountLines(account))
}

function accountLines(account: JsonObject): Line[] {
  const { external } = account
  const rows: [string, string][] = [
    ['account', shownMember(account, 'account')],
    ['login', shownMember(account, 'login')],
    ['kind', shownMember(account, 'kind')],
    ['roles', textsOf(account['roles']).join(' ') || '(none)'],
    ['disabled', account['disabled'] === true ? 'yes' : 'no'],
    ['owner', shownMember(account, 'owner')],
    ['issuer', isJsonObject(external) ? shownMember(external, 'issuer') : ''],
    ['subject', isJsonObject(external) ? shownMember(external, 'sub') : ''],
    ['created', shownMember(account, 'createdAt')],
  ]
  return pairs(rows.filter(([, value]) => value !== ''))
}

/** An account by its id, or by the login that its person types. */
async function fetchAccount(call: Call, text: string): Promise<JsonObject> {
  try {
    return objectOf(await call('GET', `/v1/admin/accounts/${encodeURIComponent(text)}`))
  } catch (error) {
    if (!(error instanceof CountersignError) || error.detail['status'] !== 404) throw error
    const all = await fetchPages(call, '/v1/admin/accounts?limit=100', 'accounts')
    const found = all.find((one) => shownMember(one, 'login') === text.toLowerCase())
    if (found === undefined) throw error
    return found
  }
}

function objectOf(answer: JsonValue): JsonObject {
  return isJsonObject(answer) ? answer : refuse('registry-error', 'the registry shows no account')
}

/** `countersign admin accounts invite`: the code is handed over by the admin, and apart from the page it is typed into. */
export async function invite(context: Context, { args }: Input): Promise<void> {
  assertRoles(args)
  const made = objectOf(await openCall(context)('POST', '/v1/admin/invitations', jsonBody({ roles: args })))
  context.out.result(made, [
    [green('invited'), ` to be ${args.join(', ')}`],
    ...codeLines(made),
    'Hand the code over yourself, not beside the address; it is not shown again.',
  ])
}

function codeLines(made: JsonObject): Line[] {
  return pairs([
    ['page', shownMember(made, 'url')],
    ['code', shownMember(made, 'code')],
    ['expires', shownMember(made, 'expires')],
  ])
}

interface CreateOptions {
  readonly role: readonly string[]
  readonly owner?: string
}

/** `countersign admin accounts create` */
export async function createAccount(
  context: Context,
  { args, options }: Input<CreateOptions>,
): Promise<void> {
  const { role: roles, owner } = options
  assertRoles(roles)
  const call = openCall(context)
  const by = owner === undefined ? undefined : shownMember(await fetchAccount(call, owner), 'account')
  const body = { name: args[0] ?? '', roles, ...(by !== undefined && { owner: by }) }
  const account = objectOf(await call('POST', '/v1/admin/accounts', jsonBody(body)))
  context.out.result(account, [
    [green('created'), ' ', bold(shownMember(account, 'account'))],
    ...accountLines(account),
    [
      dim(
        `next: countersign admin client create ${shellWord(body.name)} --account ${shellWord(body.name)} --role ${roles.join(' ')}`,
      ),
    ],
  ])
}

/** `countersign admin accounts roles`: exactly these. */
export async function setRoles(context: Context, { args }: Input): Promise<void> {
  const [text = '', ...roles] = args
  assertRoles(roles)
  const call = openCall(context)
  const path = pathOf(await fetchAccount(call, text))
  const account = objectOf(await call('PUT', `${path}/roles`, jsonBody({ roles })))
  context.out.result(account, accountLines(account))
}

function pathOf(account: JsonObject): string {
  return `/v1/admin/accounts/${encodeURIComponent(shownMember(account, 'account'))}`
}

interface YesOptions {
  readonly yes?: boolean
}

/** `countersign admin accounts disable` */
export async function disableAccount(context: Context, input: Input<YesOptions>): Promise<void> {
  await act(context, input, 'disable', 'Disable')
}

/** `countersign admin accounts enable` */
export async function enableAccount(context: Context, input: Input): Promise<void> {
  await act(context, { ...input, options: { yes: true } }, 'enable', 'Enable')
}

/** `countersign admin accounts sign-out` */
export async function signOutAccount(context: Context, input: Input<YesOptions>): Promise<void> {
  await act(context, input, 'sign-out', 'End every login of')
}

async function act(
  context: Context,
  { args, options }: Input<YesOptions>,
  verb: 'disable' | 'enable' | 'sign-out',
  question: string,
): Promise<void> {
  const call = openCall(context)
  const account = await fetchAccount(call, args[0] ?? '')
  const name = `${shownMember(account, 'account')} ${loginOf(account)}`.trim()
  await confirm(context, `${question} ${name}?`, options)
  const answer = await call('POST', `${pathOf(account)}/${verb}`)
  const done = { disable: red('disabled'), enable: green('enabled'), 'sign-out': green('signed out') }[verb]
  context.out.result(isJsonObject(answer) ? answer : account, [[done, ` ${name}`]])
}

/** `countersign admin accounts recover` */
export async function recoverAccount(context: Context, { args, options }: Input<YesOptions>): Promise<void> {
  const call = openCall(context)
  const account = await fetchAccount(call, args[0] ?? '')
  const name = `${shownMember(account, 'account')} ${loginOf(account)}`.trim()
  await confirm(context, `Make a code that sets a new password for ${name}?`, options)
  const made = objectOf(await call('POST', `${pathOf(account)}/recovery`))
  context.out.result(made, [
    [green('recovery'), ` of ${name}`],
    ...codeLines(made),
    'Make sure who asks, and hand the code over yourself; it is not shown again.',
  ])
}
