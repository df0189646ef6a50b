import { parseNamespace, refuse, signKeyRevokeEvent, type RevokeReason } from '../../core/index.js'
import { openCall } from '../call.js'
import { KID_SHIELD, type Context, type Input } from '../context.js'
import { fetchNamespace } from '../directory.js'
import { lateLines } from '../entry.js'
import { submitEvent } from './add.js'
import { openSigner, type KeyOptions } from './keys.js'
import { red } from '../output.js'
import { pinnedIdentity } from '../pinned.js'
import { confirm } from '../prompt.js'
import { asUsage } from '../reference.js'

interface RevokeOptions extends KeyOptions {
  readonly reason: string
  readonly invalidFrom?: string
  readonly yes?: boolean
}

/** `countersign key revoke` */
export async function revokeKey(context: Context, { args, options }: Input<RevokeOptions>): Promise<void> {
  const namespace = asUsage(() => parseNamespace(args[0] ?? ''))
  const kid = readKid(args[1])
  const reason = readReason(options.reason)
  const invalidFrom = readIndex(options.invalidFrom)
  const registry = await pinnedIdentity(context)
  const signer = await openSigner(context, options)
  const call = openCall(context)
  const { last } = await fetchNamespace(call, namespace)
  await confirm(context, `End ${kid} of ${namespace} for good?`, options)
  const event = signKeyRevokeEvent(
    { namespace, kid, reason, ...(invalidFrom !== undefined && { invalidFrom }), after: last ?? 0 },
    registry,
    signer,
  )
  const entry = await submitEvent(call, `/v1/namespaces/${namespace}/keys/${kid}/revocation`, event)
  const end = invalidFrom ?? entry.index
  context.out.result({ namespace, kid, reason, ...entry, invalidFrom: end }, [
    [red('revoked'), ` ${kid} of ${namespace}: it counts no more from log index ${end} on`],
    ...lateLines(entry),
  ])
}

/** @throws CountersignError `usage` */
export function readKid(typed = ''): string {
  const text = typed.startsWith(KID_SHIELD) ? typed.slice(KID_SHIELD.length) : typed
  if (!/^[A-Za-z0-9_-]{43}$/.test(text))
    refuse('usage', 'a kid has 43 characters: see `countersign key list`')
  return text
}

export function readReason(text: string): RevokeReason {
  if (text === 'superseded' || text === 'cessation' || text === 'compromise') return text
  return refuse('usage', '--reason is superseded, cessation or compromise')
}

export function readIndex(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) refuse('usage', '--invalid-from is a log index')
  return Number(text)
}
