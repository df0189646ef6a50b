import { openCall } from './call.js'
import type { Context, Input } from './context.js'
import { decide, readTarget } from './admin/decision.js'
import { yellow } from './output.js'
import { confirm } from './prompt.js'

interface Options {
  readonly reason: string
  readonly yes?: boolean
}

/** `countersign withdraw`: for good, this version never comes again. */
export async function withdraw(context: Context, { args, options }: Input<Options>): Promise<void> {
  const call = openCall(context)
  const target = await readTarget(call, args[0] ?? '', ['pending'], {})
  await confirm(context, `Withdraw ${target.name}? This version never comes again.`, options)
  await decide(context, call, target, {
    path: `${target.path}/withdrawal`,
    reason: options.reason,
    done: [yellow('withdrawn')],
  })
}

/** `countersign deprecate` */
export async function deprecate(context: Context, { args, options }: Input<Options>): Promise<void> {
  const call = openCall(context)
  const target = await readTarget(call, args[0] ?? '', ['approved'], {})
  await decide(context, call, target, {
    path: `${target.path}/deprecation`,
    reason: options.reason,
    done: [yellow('deprecated')],
  })
}
