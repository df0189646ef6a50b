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
  if (!/^https?:$/.test(url.protocol)) refuse('usage', 'a registry URL is http or https')
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}

/** @throws CountersignError `usage` unless https, or http to this machine */
export function assertSecure(url: URL): void {
  const local = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !local)
    refuse('usage', 'a registry is reached by https; http is for this machine only')
}

/** The key a person made with `countersign keygen`, unless another is named. */
export function defaultKeyFile(context: Context): string {
  return join(context.home, 'key.pem')
}

/** What a command's own file exports: it gets what was typed, and prints its result itself. */
export interface Input<Options = object> {
  readonly args: readonly string[]
  readonly options: Options
}
