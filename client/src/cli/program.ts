import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { CountersignError } from '../core/index.js'
import { addCommands } from './commands.js'
import { KID_SHIELD, type Context } from './context.js'
import { Ended, EXIT, exitCodeOf, report } from './failures.js'
import { openOutput, type Output, type Streams } from './output.js'

export interface World {
  readonly env: NodeJS.ProcessEnv
  readonly streams: Streams
}

interface Globals {
  readonly json?: boolean
  readonly registry?: string
  readonly home?: string
}

const INTERRUPTED = 130

/** Runs one command line and says with which code the process ends. Never rejects. */
export async function run(argv: readonly string[], world: World): Promise<number> {
  const interrupt = openInterrupt()
  const end = argv.indexOf('--')
  const own = end < 0 ? argv : argv.slice(0, end)
  const plain = openOutput({ json: own.includes('--json'), ...world })
  const program = buildProgram((command) => openContext(command, world, interrupt.signal), plain)
  try {
    await program.parseAsync(shieldKids(argv), { from: 'user' })
    return EXIT.ok
  } catch (error) {
    if (interrupt.signal.aborted && !(error instanceof Ended)) return INTERRUPTED
    if (error instanceof CommanderError) return endParsing(error, plain)
    report(error, plain)
    return exitCodeOf(error)
  } finally {
    interrupt.close()
  }
}

/** One kid in 64 begins with a hyphen, and would be read as an option. No option is as long, or like it. */
function shieldKids(argv: readonly string[]): string[] {
  if (commandOf(argv) !== 'key') return [...argv]
  return argv.map((arg) => (/^-[A-Za-z0-9_-]{42}$/.test(arg) ? `${KID_SHIELD}${arg}` : arg))
}

/** The first word that is neither an option of every command nor the value of one: those may stand before it. */
function commandOf([word, ...rest]: readonly string[]): string | undefined {
  if (word === '--registry' || word === '--home') return commandOf(rest.slice(1))
  return word?.startsWith('--') === true ? commandOf(rest) : word
}

/** The whole command line; each command's code is loaded when it runs. */
export function buildProgram(
  contextOf: (command: Command) => Context | Promise<Context>,
  out: Output,
): Command {
  const program = new Command('countersign')
    .description('Verify the tools of MCP servers before a model sees them: sign, approve, check, guard.')
    .version(packageVersion())
    .showSuggestionAfterError()
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .addHelpText('after', FIRST_MINUTE)
  addCommands(program, contextOf)
  for (const command of everyCommand(program)) {
    if (command.commands.length === 0 || command === program) addGlobals(command)
    command.exitOverride().configureOutput({ writeErr: (text) => sayError(out, text) })
  }
  return program
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap((child) => everyCommand(child))]
}

function addGlobals(command: Command): void {
  command
    .option('--json', 'print one JSON document on stdout')
    .option('--registry <url>', 'the registry (or COUNTERSIGN_REGISTRY)')
    .option('--home <dir>', 'folder of keys, credentials, trust and memory (or COUNTERSIGN_HOME)')
}

async function openContext(command: Command, world: World, signal: AbortSignal): Promise<Context> {
  const { homeFolder } = await import('../node/index.js')
  const globals: Globals = { ...command.parent?.opts(), ...command.optsWithGlobals() }
  const { env } = world
  const registry = nonEmpty(globals.registry) ?? nonEmpty(env['COUNTERSIGN_REGISTRY'])
  return {
    out: openOutput({ json: globals.json === true, ...world }),
    home: nonEmpty(globals.home) ?? homeFolder(env),
    env,
    signal,
    ...(registry !== undefined && { registry }),
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

/** Commander prints its own errors and help; with `--json` only the document of the failure is printed. */
function sayError(out: Output, text: string): void {
  if (!out.json) for (const line of text.trimEnd().split('\n')) out.say(line)
}

function endParsing(error: CommanderError, out: Output): number {
  if (error.exitCode === 0) return EXIT.ok
  if (out.json) report(new CountersignError('usage', error.message.replace(/^error: /, '')), out)
  return EXIT.usage
}

/** The first signal ends the command in order; a second one ends the process. */
function openInterrupt(): { signal: AbortSignal; close: () => void } {
  const controller = new AbortController()
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED)
    controller.abort()
  }
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, onSignal)
  return {
    signal: controller.signal,
    close: () => {
      for (const name of names) process.off(name, onSignal)
    },
  }
}

const FIRST_MINUTE = `
From a fresh registry to a guarded server:
  $ countersign trust add http://127.0.0.1:8460 --fingerprint sha256:…
  $ countersign login --one-time-password …
  $ countersign keygen
  $ countersign namespace grant internal.home
  $ countersign key add internal.home
  $ countersign vouch -- npx -y @modelcontextprotocol/server-filesystem@2026.8.31 .
  $ countersign admin show internal.home/server-filesystem
  $ countersign admin approve internal.home/server-filesystem
  $ countersign check -- npx -y @modelcontextprotocol/server-filesystem@2026.8.31 .
  $ countersign guard -- npx -y @modelcontextprotocol/server-filesystem@2026.8.31 .

Exit codes: 0 ok · 1 failed · 2 usage · 3 refused · 4 registry unreachable`

/** As the package says it: beside `src/` and beside `dist/` alike. */
function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
