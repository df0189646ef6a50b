import type { Context, Input } from '../context.js'
import { isJsonObject, parseNamespace } from '../../core/index.js'
import { fetchMe } from '../account.js'
import { jsonBody, openCall, openPublicCall } from '../call.js'
import { fetchNamespace, type ProofInfo } from '../directory.js'
import { Refused } from '../failures.js'
import { keyLines } from '../keys/list.js'
import { shownMember } from '../members.js'
import { green, pairs, red, yellow, type Line } from '../output.js'
import { asUsage } from '../reference.js'

/** `countersign namespace grant`: an admin's word; the account's own key makes it an entry of the log. */
export async function grantNamespace(
  context: Context,
  { args, options }: Input<{ account?: string }>,
): Promise<void> {
  const namespace = asUsage(() => parseNamespace(args[0] ?? ''))
  const call = openCall(context)
  const account = options.account ?? (await fetchMe(call)).account
  await call('PUT', `/v1/admin/namespaces/${namespace}`, jsonBody({ account }))
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
    ...proofLines(info.proof),
    ...keyLines(info.keys),
  ])
}

/** `countersign namespace check`: the registry looks again now. Exit 3 while the proof is missing. */
export async function checkNamespace(context: Context, { args }: Input): Promise<void> {
  const namespace = asUsage(() => parseNamespace(args[0] ?? ''))
  const call = openCall(context)
  const answer = await call('POST', `/v1/namespaces/${namespace}/check`)
  const look = isJsonObject(answer) ? shownMember(answer, 'look') : ''
  const why = isJsonObject(answer) ? shownMember(answer, 'why') : ''
  const { proof } = await fetchNamespace(call, namespace)
  context.out.result({ namespace, look, ...(why !== '' && { why }), proof: proof ?? null }, [
    ...proofLines(proof),
    ...(why === '' ? [] : [[yellow(look), `: ${why}`] as Line]),
  ])
  if (look !== 'present' || proof?.suspended === true) throw new Refused('the proof is not there')
}

function proofLines(proof: ProofInfo | undefined): Line[] {
  if (proof === undefined) return pairs([['proof', 'an admin’s word']])
  const { kind, subject, checkedAt, failingSince, suspended } = proof
  const rows: [string, string][] = [
    ['proof', `${kind} of ${subject}`],
    ['looked at', checkedAt],
  ]
  return [
    ...pairs(rows.filter(([, value]) => value !== '')),
    ...(failingSince === undefined
      ? [[green('the proof stands')] as Line]
      : [[yellow(`the proof is missing since ${failingSince}`)] as Line]),
    ...(suspended
      ? [[red('suspended'), ': nothing is published and no key enrolled until it is back'] as Line]
      : []),
  ]
}
