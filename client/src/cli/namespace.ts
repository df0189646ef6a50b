import type { Input } from './context.js'
import { parseNamespace } from '../core/index.js'
import { jsonBody, openCall, openPublicCall } from './call.js'
import { registryUrl, type Context } from './context.js'
import { readCredentials } from './credentials.js'
import { fetchNamespace } from './directory.js'
import { keyLines } from './key.js'
import { green, pairs } from './output.js'
import { asUsage } from './reference.js'

/** `countersign namespace grant`: an admin's word; the account's own key makes it an entry of the log. */
export async function grantNamespace(
  context: Context,
  { args, options }: Input<{ account?: string }>,
): Promise<void> {
  const namespace = asUsage(() => parseNamespace(args[0] ?? ''))
  const account = options.account ?? readCredentials(context, registryUrl(context))?.account ?? 'admin'
  await openCall(context)('PUT', `/v1/admin/namespaces/${namespace}`, jsonBody({ account }))
  context.out.result({ namespace, account, granted: true }, [
    [
      green('granted'),
      ` ${namespace} to ${account}: its first key is enrolled with \`countersign key add ${namespace}\``,
    ],
  ])
}

/** `countersign namespace show` */
export async function showNamespace(context: Context, { args }: Input): Promise<void> {
  const namespace = asUsage(() => parseNamespace(args[0] ?? ''))
  const info = await fetchNamespace(openPublicCall(context), namespace)
  context.out.result(info, [
    ...pairs([
      ['namespace', namespace],
      ['account', info.account ?? '(not shown)'],
      ['last event', info.last === undefined ? 'none' : String(info.last)],
    ]),
    ...keyLines(info.keys),
  ])
}
