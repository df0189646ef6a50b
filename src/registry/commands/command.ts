import type { Config, Secrets } from '../../config.js'
import type { CommandInput } from '../command-line.js'
import type { Terminal } from '../terminal.js'

/** What every command is run with. */
export interface CommandWorld {
  readonly config: Config
  readonly secrets: Secrets
  readonly terminal: Terminal
  readonly input: CommandInput
  /** POSIX milliseconds. */
  readonly now: number
}

export type Command = (world: CommandWorld) => Promise<void>
