import { captureServer, signManifest } from '../publish/index.js'
import { openPublisherCall } from './call.js'
import type { Context, Input } from './context.js'
import { describe, type DescribeOptions } from './describe.js'
import { openSigner, type KeyOptions } from './keys/keys.js'
import { finishSubmission } from './publish.js'
import { captureLines } from './surface-report.js'
import { captureOptions, readTarget, type TargetOptions } from './target.js'

interface Options extends DescribeOptions, TargetOptions, KeyOptions {
  readonly as?: string
  readonly wait?: boolean
}

/** `countersign vouch`: capture, sign under one's own namespace, publish. The key is opened first: it may be missing. */
export async function vouch(context: Context, { args, options }: Input<Options>): Promise<void> {
  const target = readTarget(args, options)
  const signer = await openSigner(context, options)
  const call = openPublisherCall(context)
  const shown = await captureServer(target, captureOptions(context, options))
  for (const line of captureLines(shown)) context.out.say(line)
  const manifest = await describe(context, shown, { name: options.as, role: 'voucher', options })
  const { envelope } = signManifest(manifest, signer)
  await finishSubmission(context, call, envelope, options.wait === true)
}
