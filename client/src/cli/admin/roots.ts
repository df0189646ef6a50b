import {
  CountersignError,
  isJsonObject,
  MAX_ROOT_BYTES,
  openTrustRoot,
  refuse,
  rootNoteDigest,
  type TrustRoot,
} from '../../core/index.js'
import { openCall } from '../call.js'
import { registryUrl, type Context, type Input } from '../context.js'
import { readInput } from '../files.js'
import { shownMember } from '../members.js'
import { bold, dim, green, pairs, type Line } from '../output.js'
import { confirm } from '../prompt.js'
import { openReadApi } from '../reading.js'

interface PublishOptions {
  readonly force?: boolean
  readonly yes?: boolean
}

/** `countersign admin root publish`: what is signed by enough is logged by the running registry. */
export async function publishRoot(context: Context, { args, options }: Input<PublishOptions>): Promise<void> {
  const note = readNote(args[0] ?? '-')
  const root = openRoot(note)
  const current = await fetchNewest(context)
  if (options.force === true || changesWitnesses(root, current)) context.out.say(WITNESSES)
  await confirm(context, `Publish version ${root.version} of the trust root of ${root.identity}?`, options)
  const path = `/v1/admin/roots${options.force === true ? '?force=true' : ''}`
  const answer = await openCall(context)('POST', path, { type: 'text/plain', text: note })
  if (!isJsonObject(answer)) refuse('registry-error', 'the registry does not say what it logged')
  const isPublished = answer['published'] !== false
  context.out.result({ ...answer, published: isPublished }, [
    [green('logged'), ` version ${shownMember(answer, 'version')} as entry ${shownMember(answer, 'index')}`],
    [dim('  '), dim(shownMember(answer, 'digest'))],
    ...(isPublished ? [] : ['It is published as soon as the witnesses cosign.']),
  ])
}

const WITNESSES =
  'From this root on its witnesses decide what is published: without their quorum, nothing is.'

function changesWitnesses(next: TrustRoot, current: TrustRoot): boolean {
  return next.policy !== current.policy
}

/** `countersign admin root show`: the newest one, as everybody is shown it. */
export async function showRoot(context: Context): Promise<void> {
  const root = await fetchNewest(context)
  const { identity, version, expires, logs, rootKeys, threshold, policy, authorities, approvers, freshness } =
    root
  const digest = rootNoteDigest(root.note)
  const body = { logs, rootKeys, threshold, policy, authorities, approvers, freshness }
  context.out.result({ identity, version, expires, digest, ...body }, [
    [bold(identity)],
    ...rowsOf(root, digest),
    [dim('next: countersign-registry root propose --out FILE')],
  ])
}

function rowsOf(root: TrustRoot, digest: string): Line[] {
  const { version, expires, logs, rootKeys, threshold, authorities, approvers } = root
  const named = (set?: { keys: readonly string[]; threshold: number }): string =>
    set === undefined ? 'none' : `${set.threshold} of ${set.keys.length}`
  return pairs([
    ['version', String(version)],
    ['digest', digest],
    ['expires', expires],
    // Witnesses are given it.
    ...logs.map(({ vkey, status }) => ['log', `${vkey} (${status})`] as const),
    ...rootKeys.map((vkey) => ['root key', vkey] as const),
    ['signatures', `${threshold} of ${rootKeys.length}`],
    ['authorities', named(authorities)],
    ['approvers', named(approvers)],
    ...root.quorum.witnesses.map(({ name, url = '' }) => ['witness', `${name} ${url}`] as const),
  ])
}

async function fetchNewest(context: Context): Promise<TrustRoot> {
  const note = await openReadApi(context, registryUrl(context)).fetchRoot('latest')
  return note === undefined
    ? refuse('registry-error', 'the registry shows no trust root')
    : openTrustRoot(note)
}

function readNote(path: string): string {
  return Buffer.from(readInput(path, MAX_ROOT_BYTES)).toString('utf8')
}

/** By its own keys: the registry asks the keys before it too. */
function openRoot(note: string): TrustRoot {
  try {
    return openTrustRoot(note)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('usage', `this is no signed trust root: ${cause.message}`, cause.detail, {
      cause,
    })
  }
}
