import { compareManifests, type Comparison } from '../../change.js'
import {
  isDigest,
  isJsonObject,
  refuse,
  type Digest,
  type JsonObject,
  type Manifest,
} from '../../core/index.js'
import { inspectManifest } from '../../gates/index.js'
import { openCall, type Call } from '../call.js'
import { changeLines } from '../change-view.js'
import type { Context, Input } from '../context.js'
import { fetchReview } from './decision.js'
import { findingLines } from '../findings.js'
import { manifestLines } from '../manifest-view.js'
import { objectsOf, shownMember } from '../members.js'
import { bold, dim, pairs, quoted, red, type Line } from '../output.js'
import { assertNamed, resolveDigest } from '../reference.js'
import { readSigned } from '../signed-manifest.js'

/**
 * `countersign admin show`: read from the signed bytes, not from what the registry says about them; what changed is
 * worked out here, too.
 */
export async function showManifest(
  context: Context,
  { args, options }: Input<{ changes?: boolean }>,
): Promise<void> {
  const call = openCall(context)
  const [typed = ''] = args
  const digest = await resolveDigest(call, typed, ['pending'])
  const { item, last } = await fetchReview(call, digest)
  const manifest = readSigned(item, digest)
  assertNamed(typed, manifest)
  const change = await workOut(call, item, manifest)
  const { status = null, needs = null, votes = [], comments = [], draft = null } = item
  const findings = objectsOf(item['findings'])
  const said = { status, last, findings, change: change ?? null, needs, votes, comments, draft }
  context.out.result({ manifest: digest, ...said, document: manifest }, [
    ...headLines(item, digest),
    ...(options.changes === true ? [] : manifestLines(manifest)),
    ...section('findings', findingLines(findings)),
    ...section('change', change === undefined ? ['the first version of this server'] : viewOf(change)),
    ...section('needs', needLines(item)),
    ...section('votes', voteLines(item)),
    ...section('comments', commentLines(item)),
    nextLine(item, manifest),
  ])
}

function headLines(item: JsonObject, digest: Digest): Line[] {
  return pairs([
    ['manifest', digest],
    ['status', shownMember(item, 'status')],
    ['account', shownMember(item, 'account')],
    ['log index', shownMember(item, 'index')],
  ])
}

function section(title: string, lines: readonly Line[]): Line[] {
  return lines.length === 0 ? [] : ['', [bold(title)], ...lines]
}

interface WorkedOut extends Comparison {
  /** The digest of the version that this one is compared with. */
  readonly base: Digest
  /** What the registry says of it, when it says something else. */
  readonly registrySays?: string
}

/** Undefined when nothing of this server was approved before. */
async function workOut(call: Call, item: JsonObject, manifest: Manifest): Promise<WorkedOut | undefined> {
  const said = isJsonObject(item['change'] ?? null) ? (item['change'] as JsonObject) : {}
  const base = said['base']
  if (typeof base !== 'string' || !isDigest(base)) return undefined
  const answer = await call('GET', `/v1/manifests/${base}`)
  if (!isJsonObject(answer)) refuse('registry-error', 'the registry does not show what this is compared with')
  const findings = inspectManifest(manifest, { knownServers: [] })
  const comparison = compareManifests(readSigned(answer, base), manifest, findings)
  const theirs = shownMember(said, 'class')
  return { ...comparison, base, ...(theirs !== comparison.class && { registrySays: theirs }) }
}

function viewOf(change: WorkedOut): Line[] {
  const { base, registrySays } = change
  return [
    [dim(`since ${base}`)],
    ...(registrySays === undefined ? [] : [[red(`the registry calls it ${registrySays}`)] as Line]),
    ...changeLines(change),
  ]
}

/** What the admission policy asks for, as the registry says. */
function needLines(item: JsonObject): Line[] {
  const { needs } = item
  if (!isJsonObject(needs ?? null)) return []
  const of = needs as JsonObject
  const checks = Array.isArray(of['checks']) ? of['checks'] : []
  const signatures = isJsonObject(of['signatures'] ?? null) ? (of['signatures'] as JsonObject) : undefined
  const rows: [string, string][] = [
    ['approvals', shownMember(of, 'approvals')],
    ['as', shownMember(of, 'class')],
    ['sensitive', of['sensitive'] === true ? 'yes' : ''],
    ['checks', checks.map(checkText).join(' ')],
    [
      'signatures',
      signatures === undefined
        ? ''
        : `${shownMember(signatures, 'given')} of ${shownMember(signatures, 'needed')} approvers`,
    ],
  ]
  const shown = rows.filter(([, value]) => value !== '')
  return shown.length === 0 ? [] : pairs(shown)
}

function checkText(check: unknown): string {
  if (typeof check === 'string') return check
  if (typeof check !== 'object' || check === null) return ''
  const members = check as JsonObject
  const name = shownMember(members, 'check') || shownMember(members, 'name')
  const holds = members['holds'] ?? members['ok']
  return holds === undefined ? name : `${name}:${holds === true ? 'holds' : 'fails'}`
}

function voteLines(item: JsonObject): Line[] {
  return objectsOf(item['votes']).flatMap((vote): Line[] => {
    const words = ['override', 'comment', 'reason'].flatMap((name) => {
      const text = shownMember(vote, name)
      return text === '' ? [] : quoted(`${name}: ${text}`)
    })
    return [[shownMember(vote, 'account'), dim(`  ${shownMember(vote, 'at')}`)], ...words]
  })
}

function commentLines(item: JsonObject): Line[] {
  return objectsOf(item['comments']).flatMap((one): Line[] => [
    [shownMember(one, 'account'), dim(`  ${shownMember(one, 'at')}`)],
    ...quoted(shownMember(one, 'text')),
  ])
}

function nextLine(item: JsonObject, { server, version }: Manifest): Line {
  const name = `${server}@${version}`
  const status = shownMember(item, 'status')
  return [
    dim(
      status === 'pending'
        ? `next: countersign admin approve ${name}   or: admin reject ${name} --reason …`
        : `it is ${status}`,
    ),
  ]
}
