import {
  CountersignError,
  isDigest,
  isJsonObject,
  parseServerName,
  refuse,
  type Digest,
  type JsonObject,
} from '../../core/index.js'
import { jsonBody, type Call } from '../call.js'
import type { Context } from '../context.js'
import { lateLines, readEntry } from '../entry.js'
import { shownMember } from '../members.js'
import { dim, type Line } from '../output.js'
import { asUsage, resolveDigest } from '../reference.js'

/** What a decision is about. */
export interface Target {
  readonly kind: 'manifest' | 'server' | 'tool'
  /** Its digest, or the name of a server. */
  readonly id: string
  readonly path: string
  /** For people. */
  readonly name: string
  /** Latest event about it that this caller knows. */
  readonly after?: number
}

export interface TargetOptions {
  readonly server?: boolean
  readonly tool?: boolean
  /** Index that was typed. */
  readonly after?: string
}

/**
 * What was named: a manifest (NAME, NAME@VERSION or its digest), or with --server or --tool one of these.
 * @param wanted the statuses a bare NAME stands for
 */
export async function readTarget(
  call: Call,
  text: string,
  wanted: readonly string[],
  options: TargetOptions,
): Promise<Target> {
  const { server: isServer = false, tool: isTool = false } = options
  if (isServer && isTool) refuse('usage', 'give --server or --tool')
  const after = readAfter(options.after)
  if (isServer) {
    const { name } = asUsage(() => parseServerName(text))
    return {
      kind: 'server',
      id: name,
      path: `/v1/servers/${name}`,
      name,
      ...(after !== undefined && { after }),
    }
  }
  if (isTool) {
    if (!isDigest(text)) refuse('usage', 'a tool is named by its digest, sha256:…')
    return {
      kind: 'tool',
      id: text,
      path: `/v1/tools/${text}`,
      name: `tool ${text}`,
      ...(after !== undefined && { after }),
    }
  }
  return await readManifestTarget(call, await resolveDigest(call, text, wanted), after)
}

function readAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) refuse('usage', '--after is a log index')
  return Number(text)
}

async function readManifestTarget(call: Call, digest: Digest, typed: number | undefined): Promise<Target> {
  const known = await lookUp(call, digest)
  const after = typed ?? known?.last
  const server =
    known === undefined
      ? digest
      : `${shownMember(known.item, 'server')} ${shownMember(known.item, 'version')}`
  return {
    kind: 'manifest',
    id: digest,
    path: `/v1/manifests/${digest}`,
    name: server,
    ...(after !== undefined && { after }),
  }
}

/** An owner that is no reviewer decides about its own without the review page. */
async function lookUp(call: Call, digest: Digest): Promise<Review | undefined> {
  try {
    return await fetchReview(call, digest)
  } catch (error) {
    if (error instanceof CountersignError && error.detail['status'] === 403) return undefined
    throw error
  }
}

export interface Review {
  readonly item: JsonObject
  /** What a decision names as `after`. */
  readonly last: number
}

/** A manifest under review, and the index a decision about it must name. */
export async function fetchReview(call: Call, digest: string): Promise<Review> {
  const item = await call('GET', `/v1/review/${digest}`)
  const last = isJsonObject(item) ? item['last'] : undefined
  if (!isJsonObject(item) || typeof last !== 'number')
    refuse('registry-error', 'the registry shows no review')
  return { item, last }
}

/** A decision that one person takes: posts it, and says at which index it is logged. */
export async function decide(
  context: Context,
  call: Call,
  target: Target,
  decision: { path: string; reason: string; done: Exclude<Line, string> },
): Promise<void> {
  const { after } = target
  const body = { ...(after !== undefined && { after }), reason: decision.reason }
  const answer = await call('POST', decision.path, jsonBody(body))
  const entry = readEntry(answer)
  context.out.result({ [target.kind]: target.id, name: target.name, ...entry }, [
    [...decision.done, ` ${target.name}, log index ${entry.index}`],
    ...(target.kind === 'manifest' ? [[dim('  '), dim(target.id)] as Line] : []),
    ...lateLines(entry),
  ])
}
