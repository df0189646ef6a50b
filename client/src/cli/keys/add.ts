import { existsSync } from 'node:fs'
import {
  formatEvent,
  parseNamespace,
  refuse,
  signKeyAddEvent,
  signNamespaceEvent,
  type KeyEvent,
  type KeyRole,
  type Signer,
} from '../../core/index.js'
import { fetchMe } from '../account.js'
import { jsonBody, openCall, type Call } from '../call.js'
import { defaultKeyFile, writeSettings, type Context, type Input } from '../context.js'
import { fetchNamespace, type NamespaceInfo } from '../directory.js'
import { lateLines, readEntry, type Entry } from '../entry.js'
import { openSigner, type KeyOptions } from './keys.js'
import { dim, green, type Line } from '../output.js'
import { pinnedIdentity } from '../pinned.js'
import { asUsage } from '../reference.js'

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
      ? await addFirst(
          call,
          registry,
          { ...info, account: await accountOf(call, info, options) },
          signer,
          role,
        )
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
    ...lateLines(...added),
  ])
}

export function readRole(text: string | undefined): KeyRole | undefined {
  if (text === undefined || text === 'sign' || text === 'own') return text
  return refuse('usage', '--role is sign or own')
}

async function openOwner(context: Context, options: AddOptions, signer: Signer): Promise<Signer> {
  const { ownKey: key, ownPassphraseFile: passphraseFile } = options
  if (key === undefined && (options.key === undefined || !existsSync(defaultKeyFile(context)))) return signer
  return await openSigner(context, {
    ...(key !== undefined && { key }),
    ...(passphraseFile !== undefined && { passphraseFile }),
  })
}

export interface Added extends Entry {
  readonly role: KeyRole
}

/** The event names the account that owns the namespace: the granted one is this person's. */
async function accountOf(call: Call, info: NamespaceInfo, options: AddOptions): Promise<string> {
  return options.account ?? info.account ?? (await fetchMe(call)).account
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
  const entry = await submitEvent(call, `/v1/namespaces/${info.namespace}/keys`, event)
  const own: Added = { role: 'own', ...entry }
  if (role === 'own') return [own]
  return [own, await addLater(call, registry, { ...info, last: entry.index }, signer, signer, 'sign')]
}

/** Another role or key, endorsed by an own key. */
export async function addLater(
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
  return { role, ...(await submitEvent(call, `/v1/namespaces/${info.namespace}/keys`, event)) }
}

export async function submitEvent(call: Call, path: string, event: KeyEvent): Promise<Entry> {
  return readEntry(await call('POST', path, jsonBody({ event: formatEvent(event) })))
}
