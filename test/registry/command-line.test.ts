import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/config.js'
import { parseCommandLine, type CommandInput } from '../../src/registry/command-line.js'
import { COMMANDS } from '../../src/registry/command-table.js'

const refusal = (argv: readonly string[]): ConfigError => {
  try {
    parseCommandLine(argv)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('it was accepted')
}

function parsed(argv: readonly string[]): { command: string; input: CommandInput } {
  const line = parseCommandLine(argv)
  if ('help' in line) throw new Error('it is a call for help')
  return line
}

describe('the command line', () => {
  it.each([
    [[], 'serve'],
    [['serve'], 'serve'],
    [['serve', '--print-config'], 'print-config'],
    [['--print-config'], 'print-config'],
    [['print-config'], 'print-config'],
    [['migrate'], 'migrate'],
    [['fsck'], 'fsck'],
    [['reset-password'], 'reset-password'],
    [['reset-password', 'holder'], 'reset-password'],
    [['root', 'show', 'draft'], 'root show'],
    [['root', 'sign', '--yes', 'draft'], 'root sign'],
    [['recover'], 'recover'],
  ] as const)('%j is %s', (argv, command) => {
    expect(parsed(argv).command).toBe(command)
  })

  it('gives words, single options, repeated ones and flags', () => {
    const { input } = parsed([
      ...['root', 'init', '--root-key', 'a', '--root-key=b', '--threshold', '2', '--out', 'draft'],
    ])
    expect([input.args, input.many('root-key'), input.one('threshold'), input.one('out')]).toEqual([
      ...[[], ['a', 'b'], '2', 'draft'],
    ])
    expect([input.one('people'), input.many('people'), input.flag('yes')]).toEqual([undefined, [], false])
    expect(parsed(['root', 'sign', 'draft', '--yes']).input.flag('yes')).toBe(true)
    expect(parsed(['root', 'show', '--', '--draft']).input.args).toEqual(['--draft'])
  })

  it.each([
    [['serv'], 'serve'],
    [['rot', 'sign'], 'root'],
    [['root'], 'root '],
    [['root', 'signs', 'x'], 'root sign'],
    [['root', 'sign', 'x', '--kay', 'y'], '--key'],
    [['root', 'propose', '--out', 'x', '--add-rootkey', 'y'], '--add-root-key'],
    [['--port', '80'], '--help'],
  ] as const)('%j is refused, and the closest right one is named: %s', (argv, right) => {
    expect(refusal(argv).message).toContain(right)
  })

  it.each([
    [['serve', 'now']],
    [['reset-password', 'one', 'two']],
    [['root', 'sign']],
    [['root', 'sign', 'one', 'two']],
    [['root', 'init']],
    [['root', 'propose', '--out']],
    [['root', 'sign', 'x', '--yes=no']],
    [['recover', '--from']],
    [['constructor']],
    [['root', '__proto__']],
    [['recover', '--constructor', 'x']],
  ])('%j is refused', (argv) => {
    expect(refusal(argv)).toBeInstanceOf(ConfigError)
  })
})

describe('help', () => {
  const help = (argv: readonly string[]): string => {
    const line = parseCommandLine(argv)
    if (!('help' in line)) throw new Error('it is a command')
    return line.help
  }

  it('lists every command and setting', () => {
    for (const argv of [['--help'], ['-h'], ['help']]) {
      for (const { name, summary } of COMMANDS) {
        expect(help(argv)).toContain(name)
        expect(help(argv)).toContain(summary)
      }
      expect(help(argv)).toContain('WITNESS_POLICY_FILE')
    }
  })

  it.each(COMMANDS.filter(({ name }) => name !== 'serve').map((spec) => [spec.name, spec] as const))(
    'of %s says every option',
    (name, { options = {} }) => {
      for (const option of Object.keys(options))
        expect(help([...name.split(' '), '--help'])).toContain(`--${option}`)
      expect(help(['help', ...name.split(' ')])).toBe(help([...name.split(' '), '-h']))
    },
  )

  it('of a group lists its commands', () => {
    expect(help(['root', '--help'])).toContain('root propose')
    expect(help(['root', '--help'])).not.toContain('migrate')
  })
})
