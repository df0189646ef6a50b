import { parseArgs } from 'node:util'
import { closest, ConfigError } from '../config.js'
import { COMMANDS, type CommandSpec } from './command-table.js'

/** What a command was given. */
export interface CommandInput {
  readonly args: readonly string[]
  /** The value of an option, or undefined. */
  readonly one: (name: string) => string | undefined
  /** Every value of an option that may be given often. */
  readonly many: (name: string) => readonly string[]
  readonly flag: (name: string) => boolean
}

export type CommandLine =
  { readonly help: string } | { readonly command: CommandSpec['name']; readonly input: CommandInput }

/** Tries words from the left: `root sign FILE` is the command `root sign`. `serve` when there are none. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  // As every command's option, and before the words: it is what one types to find the words.
  const asksHelp = argv[0] === 'help' || argv.some((word) => word === '--help' || word === '-h')
  // A command's words come first: what stands behind an option may be its value.
  const first = argv.findIndex((word) => word.startsWith('-'))
  const words = first < 0 ? argv : argv.slice(0, first)
  const spec = findCommand(words[0] === 'help' ? words.slice(1) : words)
  if (asksHelp) return { help: spec === undefined ? overview(words) : describe(spec) }
  if (argv.includes('--print-config')) return { command: 'print-config', input: inputOf({}, []) }
  if (spec === undefined) throw unknownCommand(words)
  return { command: spec.name, input: parseInput(spec, argv) }
}

function findCommand(words: readonly string[]): CommandSpec | undefined {
  if (words.length === 0) return COMMANDS.find(({ name }) => name === 'serve')
  const [first = '', second = ''] = words
  return COMMANDS.find(({ name }) => name === first || name === `${first} ${second}`)
}

function unknownCommand(words: readonly string[]): ConfigError {
  const firsts = [...new Set(COMMANDS.map(({ name }) => name.split(' ')[0] ?? ''))]
  const first = closest(words[0] ?? '', firsts)
  const group = COMMANDS.map(({ name }) => name).filter((name) => name.startsWith(`${first} `))
  const said = words.slice(0, group.length > 0 ? 2 : 1).join(' ')
  const right = group.length > 0 ? closest(said, group) : first
  return usage(said, `"${said}" is not a command; did you mean "${right}"?`)
}

function parseInput(spec: CommandSpec, argv: readonly string[]): CommandInput {
  const { name, args = [], options = {} } = spec
  const given = dropName(name, argv)
  assertKnownOptions(spec, given)
  const { values, positionals } = parsed(spec, () =>
    parseArgs({ args: given, options: { ...options }, allowPositionals: true, strict: true }),
  )
  const needed = args.filter((arg) => !arg.startsWith('[')).length
  if (positionals.length < needed) throw usage(name, `give ${args.join(' ')}: ${usageLine(spec)}`)
  const extra = positionals[args.length]
  if (extra !== undefined) throw usage(extra, `"${extra}" is one word too many: ${usageLine(spec)}`)
  for (const [option, { required }] of Object.entries(options)) {
    if (required === true && values[option] === undefined) {
      throw usage(option, `give --${option}: ${usageLine(spec)}`)
    }
  }
  return inputOf(values, positionals)
}

/** The command's words are the first ones that are no options. */
function dropName(name: string, argv: readonly string[]): string[] {
  const left = argv[0] === undefined || argv[0].startsWith('-') ? [] : name.split(' ')
  return argv.slice(left.length)
}

function assertKnownOptions(spec: CommandSpec, args: readonly string[]): void {
  const known = Object.keys(spec.options ?? {})
  const { tokens } = parseArgs({ args: [...args], options: { ...spec.options }, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind !== 'option' || known.includes(token.name)) continue
    const all = [...known, 'help']
    const wrong = `${token.rawName} is not an option of ${spec.name}`
    throw usage(token.rawName, `${wrong}; did you mean --${closest(token.name, all)}?`)
  }
}

/** What parseArgs refuses is the caller's to mend; its message says which option. */
function parsed<T>(spec: CommandSpec, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw usage(spec.name, `${(cause as Error).message.split('\n')[0] ?? ''}: ${usageLine(spec)}`)
  }
}

type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>

function inputOf(values: Values, args: readonly string[]): CommandInput {
  return {
    args,
    one: (name) => (typeof values[name] === 'string' ? values[name] : undefined),
    many: (name) => [values[name] ?? []].flat().filter((value) => typeof value === 'string'),
    flag: (name) => values[name] === true,
  }
}

function overview(words: readonly string[]): string {
  const group = COMMANDS.filter(({ name }) => words[0] !== undefined && name.startsWith(`${words[0]} `))
  const shown = group.length > 0 ? group : COMMANDS
  const width = Math.max(...shown.map(({ name }) => name.length)) + 2
  const lines = shown.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`)
  return [TITLE, '', ...lines, '', 'Each command has a --help of its own.', '', SETTINGS_HELP].join('\n')
}

function describe(spec: CommandSpec): string {
  // Bare `--help` asks for the list.
  if (spec.name === 'serve') return overview([])
  const options = Object.entries(spec.options ?? {})
  const width = Math.max(0, ...options.map(([name, option]) => optionText(name, option.value).length)) + 2
  const lines = options.map(([name, { value, says }]) => `  ${optionText(name, value).padEnd(width)}${says}`)
  const about = spec.about === undefined ? [] : ['', spec.about]
  return [usageLine(spec), '', spec.summary, ...about, ...(lines.length > 0 ? ['', ...lines] : []), ''].join(
    '\n',
  )
}

function usageLine({ name, args = [], options = {} }: CommandSpec): string {
  const shown = Object.entries(options).map(([option, { value, required, multiple }]) => {
    const text = `${optionText(option, value)}${multiple === true ? '…' : ''}`
    return required === true ? text : `[${text}]`
  })
  return ['countersign-registry', name, ...args, ...shown].join(' ')
}

function optionText(name: string, value?: string): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`
}

function usage(what: string, message: string): ConfigError {
  return new ConfigError(what, message)
}

const TITLE = 'countersign-registry: a signed tool registry for the Model Context Protocol'
const SETTINGS_HELP = `Settings come from the environment and from .env, each with the prefix COUNTERSIGN_:
  PUBLIC_URL, LISTEN (127.0.0.1:8460; port 0 takes a free one), DATA_DIR (./data), LOG_LEVEL, TRUST_PROXY
  LOG_KEY_FILE, ROLLBACK_FILE; IDENTITY, ROOT_FILE and WITNESS_POLICY_FILE before the first start only
  ISSUER, ISSUER_AUDIENCE, ISSUER_CLIENT_ID, ISSUER_ADMIN, ISSUER_ROLES_CLAIM, ISSUER_ALGORITHMS: log in elsewhere
  DPOP (optional, admin), DNS_SERVERS, PROOF_CHECK_SECONDS, KEY_RECOVERY_SECONDS
  PRIVATE (reads, all): what needs a token to be read; HOST_POLICY_FILE: a policy that hosts may take from here
  DATABASE_URL (postgres://…; SQLite in the data folder without it), WEBHOOK_URL, METRICS_TOKEN_FILE;
  DATABASE_URL_FILE and WEBHOOK_URL_FILE name a file that holds the secret
`
