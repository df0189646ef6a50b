import {
  encodeKeyX,
  eventSignatureKid,
  formatEvent,
  keyThumbprint,
  decodeKeyX,
  parseNamespace,
  refuse,
  requestKeyAddEvent,
  signEvent,
  signNamespaceEvent,
  type KeyEvent,
  type NamespaceProof,
  type TrustRoot,
} from '../../core/index.js'
import { fetchMe } from '../account.js'
import { openCall, type Call } from '../call.js'
import { writeSettings, type Context, type Input } from '../context.js'
import { fetchNamespace } from '../directory.js'
import { lateLines } from '../entry.js'
import { writeOutput } from '../files.js'
import { readRole, submitEvent } from './add.js'
import { eventLines, formatRequest, readRequest, type KeyRequest } from './request.js'
import { readIndex, readKid, readReason } from './revoke.js'
import { openSigner, type KeyOptions } from './keys.js'
import { bold, dim, green, type Line } from '../output.js'
import { openSpoken } from '../pinned.js'
import { confirm } from '../prompt.js'
import { shellWord } from '../escape.js'
import { asUsage } from '../reference.js'

interface RequestOptions extends KeyOptions {
  readonly role: string
  readonly first?: boolean
  readonly proof: string
  readonly account?: string
  readonly revoke?: string
  readonly reason: string
  readonly invalidFrom?: string
  readonly out: string
}

/** `countersign key request`: the event that authorities are asked to sign, signed by the new key where there is one. */
export async function requestKey(context: Context, { args, options }: Input<RequestOptions>): Promise<void> {
  const namespace = asUsage(() => parseNamespace(args[0] ?? ''))
  const root = await openSpoken(context)
  assertAuthorities(root)
  const event = await draftEvent(context, openCall(context), { namespace, root, options })
  const request: KeyRequest = { registry: root.identity, event, sigs: [] }
  writeOutput(options.out, formatRequest(request))
  context.out.result({ ...request, out: options.out }, [
    ...eventLines(request),
    `written ${options.out}`,
    [
      dim(
        `next: ${root.authorities?.threshold ?? 1} authorities run countersign key endorse ${shellWord(options.out)} --key …`,
      ),
    ],
  ])
}

function assertAuthorities(root: TrustRoot): void {
  if (root.authorities === undefined) {
    refuse('usage', 'the trust root of this registry names no authorities', { registry: root.identity })
  }
}

interface Draft {
  readonly namespace: string
  readonly root: TrustRoot
  readonly options: RequestOptions
}

async function draftEvent(
  context: Context,
  call: Call,
  { namespace, root, options }: Draft,
): Promise<KeyRequest['event']> {
  const registry = root.identity
  if (options.first === true) {
    const account = options.account ?? (await fetchMe(call)).account
    const signer = await openSigner(context, options)
    return signNamespaceEvent({ namespace, proof: readProof(options.proof), account }, registry, signer)
  }
  const after = (await fetchNamespace(call, namespace)).last ?? 0
  if (options.revoke === undefined) {
    const role = readRole(options.role) ?? 'own'
    return requestKeyAddEvent({ namespace, role, after }, registry, await openSigner(context, options))
  }
  const invalidFrom = readIndex(options.invalidFrom)
  return {
    v: 1,
    t: 'key.revoke',
    namespace,
    kid: readKid(options.revoke),
    reason: readReason(options.reason),
    ...(invalidFrom !== undefined && { invalidFrom }),
    after,
  }
}

function readProof(text: string): NamespaceProof {
  if (text === 'admin' || text === 'dns' || text === 'http' || text === 'oidc') return text
  return refuse('usage', '--proof is admin, dns, http or oidc')
}

interface EndorseOptions extends KeyOptions {
  readonly out?: string
  readonly yes?: boolean
}

/** `countersign key endorse`: offline, but for the pinned trust root. */
export async function endorseKey(context: Context, { args, options }: Input<EndorseOptions>): Promise<void> {
  const [file = ''] = args
  const request = readRequest(file)
  const root = await openSpoken(context)
  assertAuthorities(root)
  if (request.registry !== root.identity) {
    refuse('registry-mismatch', 'the request is for another registry', {
      pinned: root.identity,
      registry: request.registry,
    })
  }
  const signer = await openSigner(context, options)
  if (root.authorities?.keys.includes(encodeKeyX(signer.publicKey)) !== true) {
    refuse('usage', 'this key is none of the authorities of the trust root', { kid: signer.kid })
  }
  for (const line of eventLines(request)) context.out.say(line)
  await confirm(context, `Sign this as authority ${signer.kid}?`, options)
  const endorsed = {
    ...request,
    sigs: withSignature(request, signEvent(request.event, request.registry, signer)),
  }
  const out = options.out ?? file
  writeOutput(out, formatRequest(endorsed))
  const { threshold } = root.authorities
  context.out.result({ ...endorsed, out, threshold }, [
    [green('signed'), ` by ${signer.kid}: ${endorsed.sigs.length} of ${threshold}`],
    [
      dim(
        `next: countersign key ${endorsed.sigs.length < threshold ? `endorse ${shellWord(out)} --key … (another authority)` : `submit ${shellWord(out)}`}`,
      ),
    ],
  ])
}

/** One signature a key: signing twice replaces the first. */
function withSignature({ event, sigs }: KeyRequest, signature: string): string[] {
  const kid = kidOf(event, signature)
  return [...sigs.filter((one) => kidOf(event, one) !== kid), signature]
}

function kidOf(event: KeyRequest['event'], signature: string): string {
  return eventSignatureKid(event, signature)
}

/** `countersign key submit` */
export async function submitKey(context: Context, { args }: Input): Promise<void> {
  const request = readRequest(args[0] ?? '')
  const root = await openSpoken(context)
  assertEnough(root, request)
  const event = { ...request.event, sigs: request.sigs } as KeyEvent
  formatEvent(event)
  const path = `/v1/namespaces/${event.namespace}/keys`
  const entry = await submitEvent(
    openCall(context),
    event.t === 'key.revoke' ? `${path}/${event.kid}/revocation` : path,
    event,
  )
  if (event.t === 'namespace') writeSettings(context, { namespace: event.namespace })
  const { namespace, kid, t } = event
  context.out.result({ namespace, kid, event: t, ...entry }, [
    [green('logged'), ' ', bold(t), ` of ${namespace}, log index ${entry.index}`],
    ...(t === 'key.add'
      ? [[dim('it counts after the waiting time: countersign key list shows from when')] as Line]
      : []),
    ...lateLines(entry),
  ])
}

/** Said here rather than by the registry: how many of its authorities signed. */
function assertEnough({ authorities }: TrustRoot, { event, sigs }: KeyRequest): void {
  const known = new Set((authorities?.keys ?? []).map((x) => keyThumbprint(decodeKeyX(x))))
  const signed = new Set(sigs.map((one) => kidOf(event, one)).filter((kid) => known.has(kid)))
  const needed = authorities?.threshold ?? 0
  if (signed.size < needed) {
    refuse('usage', `${signed.size} of ${needed} authorities signed: see \`countersign key endorse\``)
  }
}
