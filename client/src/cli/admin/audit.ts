import { refuse } from '../../core/index.js'
import { openCall } from '../call.js'
import type { Context, Input } from '../context.js'
import { shownMember } from '../members.js'
import { dim, table } from '../output.js'
import { fetchPages, withQuery } from '../pages.js'

interface Options {
  readonly account?: string
  readonly action?: string
  readonly target?: string
  readonly limit: string
}

const MAX_PAGE = 100

/** `countersign admin audit`: newest first. */
export async function audit(context: Context, { options }: Input<Options>): Promise<void> {
  const { account, action, target } = options
  const count = readCount(options.limit)
  const limit = String(Math.min(count, MAX_PAGE))
  const path = withQuery('/v1/audit', { account, action, target, limit })
  const records = await fetchPages(openCall(context), path, 'records', count)
  context.out.result(
    { records },
    records.length === 0
      ? ['nothing']
      : table(
          ['TIME', 'ACCOUNT', 'ACTION', 'TARGET', 'INDEX', 'DETAIL'],
          records.map((one) => [
            dim(timeOf(one['at'])),
            shownMember(one, 'account'),
            shownMember(one, 'action'),
            shownMember(one, 'target'),
            shownMember(one, 'index'),
            dim(shownMember(one, 'detail')),
          ]),
        ),
  )
}

function readCount(text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) refuse('usage', '--limit is 1 to 99999')
  return Number(text)
}

function timeOf(at: unknown): string {
  const time = typeof at === 'number' || typeof at === 'string' ? new Date(at) : new Date(Number.NaN)
  return Number.isNaN(time.getTime()) ? '' : time.toISOString()
}
