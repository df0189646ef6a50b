import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { CountersignError } from '../../client/src/core/index.js'
import { addCommands } from '../../client/src/cli/commands.js'
import { formatLine, red, table } from '../../client/src/cli/output.js'
import { problemOf } from '../../client/src/cli/problem.js'
import { remedyOf } from '../../client/src/cli/remedies.js'
import type { Context } from '../../client/src/cli/context.js'

describe('tables', () => {
  const shown = (rows: (string | ReturnType<typeof red>)[][]): string[] =>
    table(['NAME', 'EMPTY', 'STATE'], rows).map((line) => formatLine(line, false).trimEnd())

  it('hold their columns, whatever is in a cell, and leave out empty ones', () => {
    expect(
      shown([
        ['a', '', red('off')],
        ['b\u001b[2J', '', 'on'],
      ]),
    ).toEqual(['NAME          STATE', 'a             off', 'b\\u{001B}[2J  on'])
  })

  it('keep a foreign line feed in its row', () => {
    expect(shown([['one\nadmin', '', 'x']])).toHaveLength(2)
  })
})

describe('refusals', () => {
  const remedy = (code: string, detail: object = {}): string | undefined =>
    remedyOf(new CountersignError('registry-refused', 'no', { code, ...detail }))

  it.each([
    ['role-missing', 'admin accounts roles'],
    ['scope-missing', 'countersign login'],
    ['dpop-required', 'countersign login'],
    ['token-limited', 'workflow'],
    ['password-change-required', '/account/password'],
    ['after-outdated', 'admin show'],
    ['namespace-suspended', 'namespace check'],
    ['expired_token', 'countersign login'],
  ])('%s says what to do', (code, words) => {
    expect(remedy(code)).toContain(words)
  })

  it('says which member of a request breaks which rule', () => {
    const rules = [{ field: '/roles/0', rule: 'one of four' }, 'no rule', { rule: 7 }]
    const { detail } = problemOf(
      { status: 400, headers: new Headers() },
      { code: 'request-invalid', fields: ['/roles/0'], explanation: { rules } },
    )
    expect(detail['rules']).toHaveLength(2)
    expect((detail['rules'] as string[])[0]).toBe('/roles/0: one of four')
  })

  it('says when to come again', () => {
    const headers = new Headers({ 'retry-after': '42' })
    const error = problemOf({ status: 429, headers }, { code: 'rate-limited', detail: 'too often' })
    expect(error.detail['retryAfter']).toBe(42)
    expect(remedyOf(error)).toContain('42')
  })

  it('takes nothing of a registry for a code that it is not', () => {
    for (const code of ['constructor', '__proto__', 'toString', '\u001b'])
      expect(remedy(code)).toBeUndefined()
  })
})

describe('the command tree', () => {
  const program = new Command('countersign')
  addCommands(program, () => ({}) as Context)
  const walk = (command: Command, path: string): [string, Command][] => [
    [path, command],
    ...command.commands.flatMap((child) => walk(child, `${path} ${child.name()}`.trim())),
  ]
  const all = walk(program, '')

  it('has every command of the interface', () => {
    const paths = new Set(all.map(([path]) => path))
    const words = [
      ...['keygen', 'login', 'logout', 'whoami', 'vouch', 'capture', 'lint', 'sign', 'publish', 'withdraw'],
      ...[
        'deprecate',
        'status',
        'show',
        'diff',
        'verify',
        'bundle',
        'check',
        'guard',
        'log verify',
        'completion',
      ],
      ...['claim', 'verify', 'show', 'check', 'grant'].map((one) => `namespace ${one}`),
      ...['add', 'list', 'revoke', 'request', 'endorse', 'submit'].map((one) => `key ${one}`),
      ...['pending', 'show', 'approve', 'reject', 'revoke', 'reinstate', 'comment', 'audit'].map(
        (one) => `admin ${one}`,
      ),
      ...['list', 'show', 'invite', 'create', 'roles', 'disable', 'enable', 'recover', 'sign-out'].map(
        (one) => `admin accounts ${one}`,
      ),
      ...['create', 'list', 'disable', 'enable'].map((one) => `admin client ${one}`),
      ...['show', 'set'].map((one) => `admin policy ${one}`),
      ...['add', 'list', 'remove'].map((one) => `admin trusted-publishers ${one}`),
      ...['add', 'list', 'remove', 'test'].map((one) => `admin webhooks ${one}`),
    ]
    expect(words.filter((word) => !paths.has(word))).toEqual([])
  })

  it.each(all.filter(([, { commands }]) => commands.length === 0))(
    '%s says what it does',
    (_path, command) => {
      expect(command.description()).not.toBe('')
    },
  )
})
