import { refuse } from '../../core/index.js'
import { jsonBody, openCall, type Call } from '../call.js'
import type { Context, Input } from '../context.js'
import { decide, fetchReview, readTarget, type Target, type TargetOptions } from './decision.js'
import type { KeyOptions } from '../keys/keys.js'
import { shownMember } from '../members.js'
import { readStanding, signDraft, standingLines, type Standing } from './motion.js'
import { red } from '../output.js'
import { confirm } from '../prompt.js'
import { assertReadDigest } from '../reference.js'

interface RevokeOptions extends TargetOptions {
  readonly reason: string
  readonly yes?: boolean
}

/** Hosts take what is deprecated as well: it can be revoked by its name, too. */
const TAKEN_BY_HOSTS = ['approved', 'deprecated']

/** `countersign admin revoke`: at once, by one person. */
export async function revoke(context: Context, { args, options }: Input<RevokeOptions>): Promise<void> {
  const call = openCall(context)
  const target = await readTarget(call, args[0] ?? '', TAKEN_BY_HOSTS, options)
  await confirm(context, `Revoke ${target.name}? Hosts refuse it within the freshness bound.`, options)
  await decide(context, call, target, {
    path: `${target.path}/revocation`,
    reason: options.reason,
    done: [red('revoked')],
  })
}

interface ReinstateOptions extends TargetOptions, KeyOptions {
  readonly reason: string
}

/** `countersign admin reinstate`: the second person's vote takes the revocation back. */
export async function reinstate(context: Context, { args, options }: Input<ReinstateOptions>): Promise<void> {
  const [typed = ''] = args
  if (options.key !== undefined && options.server !== true) assertReadDigest(typed)
  const call = openCall(context)
  const target = await readTarget(call, typed, ['revoked'], options)
  const { after } = target
  if (after === undefined) {
    refuse('usage', 'say which revocation you take back: --after INDEX, the log index at which it stands')
  }
  const standing = await contribute(context, call, { ...target, after }, options)
  context.out.result(
    { [target.kind]: target.id, name: target.name, ...standing },
    standingLines('reinstated', target.name, standing),
  )
}

type Known = Target & { readonly after: number }

async function contribute(
  context: Context,
  call: Call,
  target: Known,
  options: ReinstateOptions,
): Promise<Standing> {
  const { reason, key } = options
  const path = `${target.path}/reinstatement`
  const open = key === undefined ? undefined : await openDraft(call, target)
  const voted: Standing =
    open === undefined
      ? readStanding(await call('POST', path, jsonBody({ after: target.after, reason })))
      : { draft: open }
  if (key === undefined || voted.draft === undefined || voted.index !== undefined) return voted
  return await signDraft(context, call, `${path}/signatures`, {
    draft: voted.draft,
    options,
    assertMeant: (event) => {
      const isMeant = event.t === 'reinstate' && event.target === target.kind && event.after === target.after
      if (!isMeant || (event.digest ?? event.name) !== target.id) {
        refuse('registry-error', 'the registry drafts something else than this reinstatement', {
          target: target.id,
        })
      }
    },
  })
}

/** Where the persons agree already, an approver only signs. */
async function openDraft(call: Call, target: Known): Promise<string | undefined> {
  if (target.kind !== 'manifest') return undefined
  const draft = shownMember((await fetchReview(call, target.id)).item, 'draft')
  return draft === '' ? undefined : draft
}
