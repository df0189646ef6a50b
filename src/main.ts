import { config as readDotenv } from 'dotenv'
import { ConfigError, readConfig } from './config.js'
import { parseCommandLine } from './registry/command-line.js'
import type { CommandName } from './registry/command-table.js'
import type { Command } from './registry/commands/command.js'
import { isKnownError } from './registry/known-errors.js'
import { openTerminal } from './registry/terminal.js'

const papers = () => import('./registry/commands/root-papers.js')
const roots = () => import('./registry/commands/root.js')
const move = () => import('./registry/commands/move.js')
const upkeep = () => import('./registry/commands/upkeep.js')

/** Every command; its code is loaded when it is asked for: a machine with a root key needs no database. */
const COMMANDS: Readonly<Record<CommandName, () => Promise<Command>>> = {
  serve: async () => (await import('./registry/commands/serve.js')).serveCommand,
  migrate: async () => (await upkeep()).migrateCommand,
  'reset-password': async () => (await upkeep()).resetPasswordCommand,
  'print-config': async () => (await upkeep()).printConfigCommand,
  fsck: async () => (await upkeep()).fsckCommand,
  'root init': async () => (await roots()).initCommand,
  'root key': async () => (await papers()).keyCommand,
  'root propose': async () => (await roots()).proposeCommand,
  'root sign': async () => (await papers()).signCommand,
  'root show': async () => (await papers()).showCommand,
  'root publish': async () => (await roots()).publishCommand,
  recover: async () => (await upkeep()).recoverCommand,
  export: async () => (await move()).exportCommand,
  import: async () => (await move()).importCommand,
  'adopt-keys': async () => (await upkeep()).adoptKeysCommand,
}

/** Exit codes: 0 ok, 1 failed, 2 usage. */
async function main(argv: readonly string[]): Promise<void> {
  const line = parseCommandLine(argv)
  if ('help' in line) {
    process.stdout.write(`${line.help}\n`)
    return
  }
  readDotenv({ quiet: true })
  const { config, secrets } = readConfig(process.env)
  const { input } = line
  const command = await COMMANDS[line.command]()
  await command({ config, secrets, input, terminal: openTerminal(input.flag('yes')), now: Date.now() })
}

/** What an operator can act on is told in a sentence, with the code its page explains; anything else is a defect and shows its stack. */
function fail(error: unknown): void {
  process.stderr.write(`${isKnownError(error) ? sentence(error) : stackOf(error)}\n`)
  process.exitCode = error instanceof ConfigError ? 2 : 1
}

function sentence(error: Error): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string'
    ? `${error.message}\n(${code}: docs/operate/refuses-to-start.md)`
    : error.message
}

function stackOf(error: unknown): string {
  return String((error as Error).stack ?? error)
}

await main(process.argv.slice(2)).catch(fail)
