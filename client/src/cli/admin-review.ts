import { isJsonObject, refuse, type JsonObject } from '../core/index.js'
import { jsonBody, openCall, type Call } from './call.js'
import type { Context, Input } from './context.js'
import { findingLines } from './findings.js'
import { objectsOf, shownMember } from './members.js'
import { bold, dim, green, red, type Line } from './output.js'
import { resolveDigest } from './reference.js'

/** `countersign admin pending` */
export async function pending(context: Context): Promise<void> {
  const answer = await openCall(context)('GET', '/v1/review?status=pending')
  const items = isJsonObject(answer) ? objectsOf(answer['items']) : []
  context.out.result({ items }, items.length === 0 ? ['nothing waits'] : items.flatMap(itemLines))
}

function itemLines(item: JsonObject): Line[] {
  const text = (name: string): string => shownMember(item, name)
  const findings = objectsOf(item['findings'])
  return [
    [
      bold(`${text('server')}@${text('version')}`),
      ` ${text('role')} by ${text('account')}, log index ${text('index')}`,
    ],
    [dim('  '), dim(text('manifest'))],
    ...findingLines(findings).map((line): Line => ['  ', ...(typeof line === 'string' ? [line] : line)]),
  ]
}

/** A manifest under review, and the index a decision about it must name. */
export async function fetchReview(call: Call, digest: string): Promise<{ item: JsonObject; last: number }> {
  const item = await call('GET', `/v1/review/${digest}`)
  const last = isJsonObject(item) ? item['last'] : undefined
  if (!isJsonObject(item) || typeof last !== 'number')
    refuse('registry-error', 'the registry shows no review')
  return { item, last }
}

interface ApproveOptions {
  readonly override?: string
  readonly comment?: string
}

/** `countersign admin approve`: binds to the digest; refused when anything was decided in between. */
export async function approve(context: Context, { args, options }: Input<ApproveOptions>): Promise<void> {
  const { override, comment } = options
  await decide(context, args[0] ?? '', {
    wanted: 'pending',
    path: (digest) => `/v1/review/${digest}/approval`,
    body: { ...(override !== undefined && { override }), ...(comment !== undefined && { comment }) },
    done: [green('approved')],
  })
}

/** `countersign admin reject` */
export async function reject(context: Context, { args, options }: Input<{ reason: string }>): Promise<void> {
  await decide(context, args[0] ?? '', {
    wanted: 'pending',
    path: (digest) => `/v1/review/${digest}/rejection`,
    body: { reason: options.reason },
    done: [red('rejected')],
  })
}

/** `countersign admin revoke` */
export async function revoke(context: Context, { args, options }: Input<{ reason: string }>): Promise<void> {
  await decide(context, args[0] ?? '', {
    wanted: 'approved',
    path: (digest) => `/v1/manifests/${digest}/revocation`,
    body: { reason: options.reason },
    done: [red('revoked')],
  })
}

interface Decision {
  /** The status a bare NAME stands for. */
  readonly wanted: string
  readonly path: (digest: string) => string
  readonly body: Readonly<Record<string, string>>
  readonly done: Exclude<Line, string>
}

async function decide(context: Context, reference: string, decision: Decision): Promise<void> {
  const call = openCall(context)
  const digest = await resolveDigest(call, reference, decision.wanted)
  const { item, last } = await fetchReview(call, digest)
  const answer = await call('POST', decision.path(digest), jsonBody({ after: last, ...decision.body }))
  const index = isJsonObject(answer) ? answer['index'] : undefined
  if (typeof index !== 'number') refuse('registry-error', 'the registry names no log index')
  const name = `${shownMember(item, 'server')} ${shownMember(item, 'version')}`
  context.out.result({ manifest: digest, server: item['server'], version: item['version'], index }, [
    [...decision.done, ` ${name}, log index ${index}`],
    [dim('  '), dim(digest)],
  ])
}
