import { join } from 'node:path'
import { refuse } from '../core/index.js'
import { readState, writeOutput } from './files.js'
import type { Output } from './output.js'

/** What every command gets. */
export interface Context {
  readonly out: Output
  /** Folder of this person's keys, credentials, trust and memory. */
  readonly home: string
  readonly env: NodeJS.ProcessEnv
  /** `--registry` or COUNTERSIGN_REGISTRY. */
  readonly registry?: string
  /** Aborted when the person ends the command. */
  readonly signal: AbortSignal
}

/** What the home folder remembers between commands. */
export interface Settings {
  /** URL of the registry that was trusted or logged in to last. */
  readonly registry?: string
  /** The namespace whose key this home folder holds. */
  readonly namespace?: string
}

export function readSettings(context: Context): Settings {
  const state = readState(settingsFile(context)) ?? {}
  const text = (name: string): string | undefined =>
    typeof state[name] === 'string' ? state[name] : undefined
  const registry = text('registry')
  const namespace = text('namespace')
  return { ...(registry !== undefined && { registry }), ...(namespace !== undefined && { namespace }) }
}

export function writeSettings(context: Context, change: Settings): void {
  const settings = { ...readSettings(context), ...change }
  writeOutput(settingsFile(context), `${JSON.stringify(settings, undefined, 2)}\n`, 0o600)
}

function settingsFile(context: Context): string {
  return join(context.home, 'config.json')
}

/** The registry this command speaks to. @throws CountersignError `usage` when none was named, ever */
export function registryUrl(context: Context): string {
  const url = context.registry ?? readSettings(context).registry
  if (url === undefined) {
    refuse(
      'usage',
      'no registry: give --registry URL, set COUNTERSIGN_REGISTRY, or run `countersign trust add URL`',
    )
  }
  return normalUrl(url)
}

/** One spelling for each registry: no trailing slash, no query. @throws CountersignError `usage` */
export function normalUrl(text: string): string {
  if (!URL.canParse(text))
    refuse('usage', 'a registry is named by its URL, such as https://registry.example.com')
  const url = new URL(text)
  if (!/^(?:https?|file):$/.test(url.protocol)) refuse('usage', 'a registry URL is https, http or file')
  if (url.protocol === 'file:' && url.host !== '') refuse('usage', 'a folder is named as file:///path')
  const place = url.protocol === 'file:' ? 'file://' : url.origin
  return `${place}${url.pathname}`.replace(/\/+$/, '')
}

/** @throws CountersignError `usage` unless https, or http to this machine */
export function assertSecure(url: URL): void {
  if (url.protocol === 'https:' || isLocal(url)) return
  refuse('usage', 'a registry is reached by https; http is for this machine only', { url: url.origin })
}

/** Whether plain HTTP to it never leaves this machine. */
export function isLocal(url: URL): boolean {
  return url.protocol === 'http:' && /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
}

/** The same place, whether written with a slash at its end or without. */
export function isSameUrl(a: string, b: string): boolean {
  return normalUrl(a) === normalUrl(b)
}

const SCOPES = ['registry:publish', 'registry:review', 'registry:audit', 'registry:admin']
/** With what registries have that may be private; older ones refuse who asks for it. */
export const KNOWN_SCOPES: readonly string[] = [...SCOPES, 'registry:read']

/** The scopes this program knows how to use, of those a registry names; what every registry has when it names none. */
export function registryScopes(named: readonly string[]): string[] {
  const known = KNOWN_SCOPES.filter((scope) => named.includes(scope))
  return known.length === 0 ? SCOPES : known
}

/** The key a person made with `countersign keygen`, unless another is named. */
export function defaultKeyFile(context: Context): string {
  return join(context.home, 'key.pem')
}

/** Stands before a kid that begins with a hyphen, from the command line to the command. */
export const KID_SHIELD = 'kid:'

/** What a command's own file exports: it gets what was typed, and prints its result itself. */
export interface Input<Options = object> {
  readonly args: readonly string[]
  readonly options: Options
}
