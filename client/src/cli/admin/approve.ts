import { refuse, type ApproveEvent, type Digest, type JsonObject } from '../../core/index.js'
import { jsonBody, openCall, type Call } from '../call.js'
import type { Context, Input } from '../context.js'
import { fetchReview } from './decision.js'
import type { KeyOptions } from '../keys/keys.js'
import { shownMember } from '../members.js'
import { readStanding, signDraft, standingLines, type Standing } from './motion.js'
import { dim } from '../output.js'
import { assertNamed, assertReadDigest, resolveDigest } from '../reference.js'
import { readSigned } from '../signed-manifest.js'

interface Options extends KeyOptions {
  readonly override?: string
  readonly comment?: string
}

/**
 * `countersign admin approve`: a vote for exactly this digest, refused when anything was decided in between; with --key
 * also an approver’s signature, over an event that was read first.
 */
export async function approve(context: Context, { args, options }: Input<Options>): Promise<void> {
  const call = openCall(context)
  const [typed = ''] = args
  if (options.key !== undefined) assertReadDigest(typed)
  const digest = await resolveDigest(call, typed, ['pending'])
  const { item, last } = await fetchReview(call, digest)
  const { server, version } = readSigned(item, digest)
  assertNamed(typed, { server, version })
  const standing = await contribute(context, call, { digest, item, last, options })
  context.out.result({ manifest: digest, server, version, ...standing }, [
    ...standingLines('approved', `${server} ${version}`, standing),
    [dim('  '), dim(digest)],
  ])
}

interface Proposal {
  readonly digest: Digest
  readonly item: JsonObject
  readonly last: number
  readonly options: Options
}

/** Where the persons agree already, an approver only signs. */
async function contribute(context: Context, call: Call, proposal: Proposal): Promise<Standing> {
  const { digest, item, options } = proposal
  const open = shownMember(item, 'draft')
  const isSigning = options.key !== undefined
  const voted: Standing = isSigning && open !== '' ? { draft: open } : await vote(call, proposal)
  if (!isSigning || voted.draft === undefined || voted.index !== undefined) return voted
  return await signDraft(context, call, `/v1/review/${digest}/signatures`, {
    draft: voted.draft,
    options,
    assertMeant: (event) => {
      if (event.t !== 'approve' || event.manifest !== digest || !isOf(event, proposal)) {
        refuse('registry-error', 'the registry drafts another approval than this one', { manifest: digest })
      }
    },
  })
}

function isOf(event: ApproveEvent, { digest, item, last }: Proposal): boolean {
  const { server, version } = readSigned(item, digest)
  return (
    event.server === server && event.version === version && event.after === last && event.auto === undefined
  )
}

async function vote(call: Call, { digest, last, options }: Proposal): Promise<Standing> {
  const { override, comment } = options
  const body = {
    after: last,
    ...(override !== undefined && { override }),
    ...(comment !== undefined && { comment }),
  }
  return readStanding(await call('POST', `/v1/review/${digest}/approval`, jsonBody(body)))
}
