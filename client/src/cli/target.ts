import { refuse } from '../core/index.js'
import { findPackage, type CaptureOptions, type CaptureTarget } from '../publish/index.js'
import type { Context } from './context.js'

/** How a server is named on the command line: the same for capture, vouch, check and guard. */
export interface TargetOptions {
  readonly url?: string
  readonly header?: readonly string[]
  readonly env?: readonly string[]
  readonly timeout?: string
}

/** @throws CountersignError `usage` unless exactly one of command and URL is given */
export function readTarget(args: readonly string[], options: TargetOptions): CaptureTarget {
  const { url, header, env } = options
  if (args.length > 0 === (url !== undefined)) {
    refuse('usage', 'name the server: a command behind --, or --url URL')
  }
  return {
    ...(args.length > 0 && { command: args }),
    ...(url !== undefined && { url }),
    ...(env !== undefined && { env }),
    ...(header !== undefined && { headers: readHeaders(header) }),
  }
}

function readHeaders(header: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    header.map((text) => {
      const match = /^([A-Za-z0-9-]+):\s*([\x20-\x7e]+)$/.exec(text)
      if (match === null) refuse('usage', 'a header reads NAME: VALUE')
      return [match[1] ?? '', match[2] ?? '']
    }),
  )
}

export function captureOptions(context: Context, options: TargetOptions): CaptureOptions {
  const seconds = Number(options.timeout ?? '120')
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 3600)
    refuse('usage', '--timeout is 1 to 3600 seconds')
  return {
    startMs: seconds * 1000,
    signal: context.signal,
    onProgress: (said) => context.out.progress(`${said} of the server`),
  }
}

/** The configured launch as text: what a host remembers a server by. */
export function launchSlot(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(' ')
}

/** `npm:NAME@VERSION` as this command runs it; undefined when it runs no package. */
export function packageQuery(words: readonly string[]): string | undefined {
  const [command = '', ...args] = words
  const ref = findPackage(command, args)?.ref
  if (ref === undefined) return undefined
  return `${ref.registryType}:${ref.identifier}${ref.version === undefined ? '' : `@${ref.version}`}`
}
