import { isJsonObject, refuse } from '../core/index.js'
import { jsonBody, openCall } from './call.js'
import type { Context, Input } from './context.js'
import { writeOutput } from './files.js'
import { shownMember } from './members.js'
import { pairs } from './output.js'

const ROLES = ['publisher', 'reviewer', 'admin', 'auditor']

interface Options {
  readonly role: readonly string[]
  readonly account?: string
  readonly secretOut?: string
}

/** `countersign admin client create`: the one moment at which the secret can be seen. */
export async function createClient(context: Context, { args, options }: Input<Options>): Promise<void> {
  const { role: roles, account, secretOut } = options
  if (!roles.every((role) => ROLES.includes(role))) refuse('usage', `a role is one of ${ROLES.join(', ')}`)
  const body = { name: args[0] ?? '', roles, ...(account !== undefined && { account }) }
  const answer = await openCall(context)('POST', '/v1/admin/clients', jsonBody(body))
  const id = isJsonObject(answer) ? answer['client_id'] : undefined
  const secret = isJsonObject(answer) ? answer['client_secret'] : undefined
  if (!isJsonObject(answer) || typeof id !== 'string' || typeof secret !== 'string') {
    refuse('registry-error', 'the registry gave no client')
  }
  if (secretOut !== undefined) writeOutput(secretOut, `${secret}\n`, 0o600)
  const shown = secretOut === undefined ? { clientSecret: secret } : { secretFile: secretOut }
  context.out.result({ clientId: id, account: answer['account'] ?? null, roles, ...shown }, [
    ...pairs([
      ['client', id],
      ['account', shownMember(answer, 'account')],
      ['roles', roles.join(' ')],
      secretOut === undefined ? ['secret', secret] : ['secret in', secretOut],
    ]),
    ...(secretOut === undefined ? ['The secret is not shown again.'] : []),
  ])
}
