import { jsonBody, openCall } from '../call.js'
import type { Context, Input } from '../context.js'
import { decide, readTarget } from './decision.js'
import { green, red } from '../output.js'
import { resolveDigest } from '../reference.js'

/** `countersign admin reject` */
export async function reject(context: Context, { args, options }: Input<{ reason: string }>): Promise<void> {
  const call = openCall(context)
  const target = await readTarget(call, args[0] ?? '', ['pending'], {})
  await decide(context, call, target, {
    path: `/v1/review/${target.id}/rejection`,
    reason: options.reason,
    done: [red('rejected')],
  })
}

/** `countersign admin comment` */
export async function comment(context: Context, { args }: Input): Promise<void> {
  const [reference = '', text = ''] = args
  const call = openCall(context)
  const manifest = await resolveDigest(call, reference, ['pending'])
  await call('POST', `/v1/review/${manifest}/comments`, jsonBody({ text }))
  context.out.result({ manifest, text }, [[green('said'), ` about ${reference}`]])
}
