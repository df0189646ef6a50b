import type { Command } from 'commander'
import type { Context, Input } from '../context.js'

export type Handler = (context: Context, input: Input<never>) => Promise<void>
/** Runs a command whose code is loaded when it is asked for. */
export type Lazy = (load: () => Promise<Handler>) => (this: Command) => Promise<void>

export const KEY_OPTION = ['--key <file>', 'key to sign with (default: key.pem of the home folder)'] as const
export const PASSPHRASE_OPTION = ['--passphrase-file <file>', 'file with the passphrase of the key'] as const
export const YES_OPTION = ['--yes', 'do not ask first'] as const

/** Example lines under a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.map((line) => `  $ ${line}`).join('\n')}`
}
