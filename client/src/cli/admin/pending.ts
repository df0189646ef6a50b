import { refuse, type JsonObject } from '../../core/index.js'
import { openCall } from '../call.js'
import type { Context, Input } from '../context.js'
import { findingLines } from '../findings.js'
import { objectsOf, shownMember } from '../members.js'
import { bold, dim, indented, type Line } from '../output.js'
import { fetchPages, withQuery } from '../pages.js'

const STATUSES = ['pending', 'approved', 'rejected', 'withdrawn', 'deprecated', 'revoked']

/** `countersign admin pending` */
export async function pending(context: Context, { options }: Input<{ status: string }>): Promise<void> {
  const { status } = options
  if (!STATUSES.includes(status)) refuse('usage', `a status is one of ${STATUSES.join(', ')}`)
  const items = await fetchPages(openCall(context), withQuery('/v1/review', { status }), 'items')
  const none = status === 'pending' ? 'nothing waits' : `nothing is ${status}`
  context.out.result({ items }, items.length === 0 ? [none] : items.flatMap(itemLines))
}

function itemLines(item: JsonObject): Line[] {
  const text = (name: string): string => shownMember(item, name)
  const change = text('class')
  return [
    [
      bold(`${text('server')}@${text('version')}`),
      ` ${text('role')} by ${text('account')}, log index ${text('index')}`,
      ...(change === '' ? [] : [`, change ${change}`]),
    ],
    [dim('  '), dim(text('manifest'))],
    ...indented(findingLines(objectsOf(item['findings'])), '  '),
  ]
}
