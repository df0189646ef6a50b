import { isJsonObject, refuse, type JsonObject } from '../../core/index.js'
import { jsonBody, openCall, openPublicCall } from '../call.js'
import type { Context, Input } from '../context.js'
import { Refused } from '../failures.js'
import { objectsOf, shownMember, textsOf } from '../members.js'
import { dim, green, red, table } from '../output.js'
import { shellWord } from '../escape.js'
import { confirm } from '../prompt.js'

interface Options {
  readonly namespace?: string
  readonly event?: readonly string[]
  readonly yes?: boolean
}

/** An admin's webhooks hear of everything; an owner's of its namespace. */
function pathOf({ namespace }: Options): string {
  return namespace === undefined
    ? '/v1/admin/webhooks'
    : `/v1/namespaces/${encodeURIComponent(namespace)}/webhooks`
}

/** `countersign admin webhooks add` */
export async function addWebhook(context: Context, { args, options }: Input<Options>): Promise<void> {
  const body = { url: args[0] ?? '', ...(options.event !== undefined && { events: options.event }) }
  const made = await openCall(context)('POST', pathOf(options), jsonBody(body))
  if (!isJsonObject(made)) refuse('registry-error', 'the registry gave no webhook')
  context.out.result(made, [
    [green('added'), ` ${shownMember(made, 'id')}`],
    [dim(`next: countersign admin webhooks test ${shellWord(shownMember(made, 'id'))}${again(options)}`)],
    [dim('its messages are signed with the key of: countersign admin webhooks key')],
  ])
}

function again({ namespace }: Options): string {
  return namespace === undefined ? '' : ` --namespace ${namespace}`
}

/** `countersign admin webhooks list` */
export async function listWebhooks(context: Context, { options }: Input<Options>): Promise<void> {
  const answer = await openCall(context)('GET', pathOf(options))
  const webhooks = isJsonObject(answer) ? objectsOf(answer['webhooks']) : []
  context.out.result(
    { webhooks },
    webhooks.length === 0
      ? ['no webhooks']
      : table(
          ['WEBHOOK', 'URL', 'NAMESPACE', 'EVENTS', 'STATE'],
          webhooks.map((one) => [
            shownMember(one, 'id'),
            shownMember(one, 'url'),
            shownMember(one, 'namespace'),
            textsOf(one['events']).join(' ') || 'all',
            stateOf(one),
          ]),
        ),
  )
}

function stateOf(webhook: JsonObject) {
  if (webhook['disabled'] === true) return red('disabled')
  const failures = Number(webhook['failures'])
  return failures > 0 ? red(`${failures} failed in a row`) : ''
}

/** `countersign admin webhooks remove` */
export async function removeWebhook(context: Context, { args, options }: Input<Options>): Promise<void> {
  const id = args[0] ?? ''
  await confirm(context, `Tell ${id} nothing more?`, options)
  const gone = await openCall(context)('DELETE', `${pathOf(options)}/${encodeURIComponent(id)}`)
  context.out.result(isJsonObject(gone) ? gone : { id }, [[red('removed'), ` ${id}`]])
}

/** `countersign admin webhooks test`: exit 3 when the receiver did not take it. */
export async function testWebhook(context: Context, { args, options }: Input<Options>): Promise<void> {
  const id = args[0] ?? ''
  const answer = await openCall(context)('POST', `${pathOf(options)}/${encodeURIComponent(id)}/test`)
  if (!isJsonObject(answer)) refuse('registry-error', 'the registry does not say how it went')
  const isDelivered = answer['delivered'] === true
  const status = shownMember(answer, 'status')
  context.out.result(answer, [
    isDelivered
      ? [green('delivered'), ` to ${id}`]
      : [red('not delivered'), ` to ${id}`, dim(status === '' ? ': no answer' : `: it answered ${status}`)],
  ])
  if (!isDelivered) throw new Refused('the receiver did not take the message')
}

/** `countersign admin webhooks key` */
export async function showWebhookKey(context: Context): Promise<void> {
  const answer = await openPublicCall(context)('GET', '/v1/webhooks/key')
  const key = isJsonObject(answer) ? shownMember(answer, 'publicKey') : ''
  if (!isJsonObject(answer) || key === '') refuse('registry-error', 'the registry names no key')
  context.out.result(answer, [key])
}
