import type { Input } from './context.js'
import {
  formatEvent,
  isJsonObject,
  parseNamespace,
  refuse,
  signKeyAddEvent,
  signKeyRevokeEvent,
  signNamespaceEvent,
  type KeyEvent,
  type KeyRole,
  type RevokeReason,
  type Signer,
} from '../core/index.js'
import { jsonBody, openCall, openPublicCall, type Call } from './call.js'
import { registryUrl, writeSettings, type Context } from './context.js'
import { readCredentials } from './credentials.js'
import { fetchNamespace, type KeyInfo, type NamespaceInfo } from './directory.js'
import { openSigner, type KeyOptions } from './keys.js'
import { dim, green, red, type Line } from './output.js'
import { asUsage } from './reference.js'
import { pinnedIdentity } from './pinned.js'

interface AddOptions extends KeyOptions {
  readonly ownKey?: string
  readonly ownPassphraseFile?: string
  readonly role?: string
  readonly account?: string
}

/** `countersign key add`: the first key of a namespace owns it and signs for it; later ones are endorsed. */
export async function addKey(context: Context, { args, options }: Input<AddOptions>): Promise<void> {
  const namespace = asUsage(() => parseNamespace(args[0] ?? ''))
  const role = readRole(options.role)
  const registry = await pinnedIdentity(context)
  const signer = await openSigner(context, options)
  const call = openCall(context)
  const info = await fetchNamespace(call, namespace)
  const added =
    info.keys.length === 0
      ? await addFirst(call, registry, { ...info, account: accountOf(context, info, options) }, signer, role)
      : [
          await addLater(
            call,
            registry,
            info,
            signer,
            await openOwner(context, options, signer),
            role ?? 'sign',
          ),
        ]
  writeSettings(context, { namespace })
  context.out.result({ namespace, kid: signer.kid, added }, [
    [green('enrolled'), ` ${signer.kid} in ${namespace}`],
    ...added.map((one): Line => [dim('  '), `role ${one.role} from log index ${one.index} on`]),
  ])
}

function readRole(text: string | undefined): KeyRole | undefined {
  if (text === undefined || text === 'sign' || text === 'own') return text
  return refuse('usage', '--role is sign or own')
}

async function openOwner(context: Context, options: AddOptions, signer: Signer): Promise<Signer> {
  const { ownKey: key, ownPassphraseFile: passphraseFile } = options
  if (key === undefined) return signer
  return await openSigner(context, { key, ...(passphraseFile !== undefined && { passphraseFile }) })
}

interface Added {
  readonly role: KeyRole
  readonly index: number
}

/** The event names the account that owns the namespace: the granted one is this person's. */
function accountOf(context: Context, info: NamespaceInfo, options: AddOptions): string {
  const account = options.account ?? info.account ?? readCredentials(context, registryUrl(context))?.account
  return account ?? refuse('usage', 'say which account the namespace was granted to: --account NAME')
}

async function addFirst(
  call: Call,
  registry: string,
  info: NamespaceInfo & { readonly account: string },
  signer: Signer,
  role: KeyRole | undefined,
): Promise<Added[]> {
  const event = signNamespaceEvent(
    { namespace: info.namespace, proof: 'admin', account: info.account },
    registry,
    signer,
  )
  const index = await submitEvent(call, `/v1/namespaces/${info.namespace}/keys`, event)
  const own: Added = { role: 'own', index }
  if (role === 'own') return [own]
  return [own, await addLater(call, registry, { ...info, last: index }, signer, signer, 'sign')]
}

async function addLater(
  call: Call,
  registry: string,
  info: NamespaceInfo,
  signer: Signer,
  owner: Signer,
  role: KeyRole,
): Promise<Added> {
  const event = signKeyAddEvent(
    { namespace: info.namespace, role, after: info.last ?? 0 },
    registry,
    signer,
    owner,
  )
  return { role, index: await submitEvent(call, `/v1/namespaces/${info.namespace}/keys`, event) }
}

async function submitEvent(call: Call, path: string, event: KeyEvent): Promise<number> {
  const answer = await call('POST', path, jsonBody({ event: formatEvent(event) }))
  const index = isJsonObject(answer) ? answer['index'] : undefined
  return typeof index === 'number' ? index : refuse('registry-error', 'the registry names no log index')
}

/** `countersign key list` */
export async function listKeys(context: Context, { args }: Input): Promise<void> {
  const namespace = asUsage(() => parseNamespace(args[0] ?? ''))
  const info = await fetchNamespace(openPublicCall(context), namespace)
  context.out.result(info, info.keys.length === 0 ? [`${namespace} has no key`] : keyLines(info.keys))
}

/** One line a key: since when it counts, and until when. */
export function keyLines(keys: readonly KeyInfo[]): Line[] {
  return keys.map((key) => {
    const roles = Object.entries(key.added).map(([role, index]) => `${role} from ${index}`)
    const line: Line = [key.kid, '  ', dim(roles.join(', '))]
    if (key.revoked === undefined) return line
    return [...line, '  ', red(`revoked at ${key.revoked}, counts until ${key.invalidFrom ?? key.revoked}`)]
  })
}

interface RevokeOptions extends KeyOptions {
  readonly reason: string
  readonly invalidFrom?: string
}

/** `countersign key revoke` */
export async function revokeKey(context: Context, { args, options }: Input<RevokeOptions>): Promise<void> {
  const namespace = asUsage(() => parseNamespace(args[0] ?? ''))
  const kid = args[1] ?? ''
  if (!/^[A-Za-z0-9_-]{43}$/.test(kid)) refuse('usage', 'a kid has 43 characters: see `countersign key list`')
  const reason = readReason(options.reason)
  const invalidFrom = readIndex(options.invalidFrom)
  const registry = await pinnedIdentity(context)
  const signer = await openSigner(context, options)
  const call = openCall(context)
  const { last } = await fetchNamespace(call, namespace)
  const event = signKeyRevokeEvent(
    { namespace, kid, reason, ...(invalidFrom !== undefined && { invalidFrom }), after: last ?? 0 },
    registry,
    signer,
  )
  const index = await submitEvent(call, `/v1/namespaces/${namespace}/keys/${kid}/revocation`, event)
  context.out.result({ namespace, kid, reason, index, invalidFrom: invalidFrom ?? index }, [
    [red('revoked'), ` ${kid} of ${namespace}: it counts no more from log index ${invalidFrom ?? index} on`],
  ])
}

function readReason(text: string): RevokeReason {
  if (text === 'superseded' || text === 'cessation' || text === 'compromise') return text
  return refuse('usage', '--reason is superseded, cessation or compromise')
}

function readIndex(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) refuse('usage', '--invalid-from is a log index')
  return Number(text)
}
