import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli, type CliResult } from '../support/cli.js'
import { realServer } from '../support/cli-command.js'
import { openFirstStart, type FirstStart } from '../support/first-start.js'

/** The README's first minute, word for word, against the registry as `npm start` starts it. */
describe('from npm start to a guarded server', () => {
  let registry: FirstStart
  beforeAll(async () => {
    registry = await openFirstStart()
  })
  afterAll(() => registry.close())

  const run = (...args: string[]): Promise<CliResult> => runCli(args, { home: join(registry.folder, 'home') })

  it('needs these commands and no others', async () => {
    const { url, fingerprint, oneTimePassword: password } = registry
    const server = realServer('filesystem', '.')
    const name = 'internal.home/server-filesystem'
    const steps = [
      ['trust', 'add', url, '--fingerprint', fingerprint],
      ['login', '--one-time-password', password],
      ['keygen'],
      ['namespace', 'grant', 'internal.home'],
      ['key', 'add', 'internal.home'],
      ['vouch', '--', ...server],
      ['admin', 'show', name],
      ['admin', 'approve', name],
      ['check', '--', ...server],
    ]
    for (const step of steps) {
      const result = await run(...step)
      expect(result, step.join(' ')).toMatchObject({ code: 0 })
      expect(result.stdout + result.stderr).not.toContain(password)
    }
    // The password works once.
    const again = await run('login', '--one-time-password', password, '--json')
    expect(again.code).toBe(1)
    expect(again.json()).toMatchObject({ error: { code: 'registry-refused' } })
    expect((await run('check', '--', ...server)).code).toBe(0)
  })
})
