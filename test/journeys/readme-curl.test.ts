import { execFile } from 'node:child_process'
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../support/cli.js'
import { realServer } from '../support/cli-command.js'
import { openFirstStart, type FirstStart } from '../support/first-start.js'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** The script of the README's section, as it is printed. */
function printedScript(): string {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const section = readme.slice(readme.indexOf('## Over REST'))
  const script = /```sh\n([\s\S]*?)```/.exec(section)?.[1]
  if (script === undefined) throw new Error('the README has no script over REST')
  return script
}

/** After the first minute, in its second terminal: the same shell lines, nothing replaced in them. */
describe('the curl examples of the README', () => {
  let registry: FirstStart
  beforeAll(async () => {
    registry = await openFirstStart()
    // npx finds the command and the real server where `npm ci` put them.
    symlinkSync(join(root, 'node_modules'), join(registry.folder, 'node_modules'))
  })
  afterAll(() => registry.close())

  it('run as they are printed', async () => {
    const { folder, url, fingerprint, oneTimePassword: password } = registry
    const home = join(folder, 'home')
    for (const step of [
      ['trust', 'add', url, '--fingerprint', fingerprint],
      ['login', '--one-time-password', password],
      ['keygen'],
      ['namespace', 'grant', 'internal.home'],
      ['key', 'add', 'internal.home'],
    ]) {
      expect(await runCli(step, { home }), step.join(' ')).toMatchObject({ code: 0 })
    }
    const env = {
      PATH: process.env['PATH'],
      HOME: folder,
      ...{ REGISTRY: url, COUNTERSIGN_REGISTRY: url, COUNTERSIGN_HOME: home },
    }
    const { stdout } = await run('bash', ['--norc', '-euo', 'pipefail', '-c', printedScript()], {
      cwd: folder,
      env: { ...env, PS1: '', NPM_CONFIG_UPDATE_NOTIFIER: 'false' },
    })
    const answers = stdout.replaceAll('}{', '}\n{').split('\n')
    expect(answers.at(-1)).toContain('"index"')
    expect(stdout).toContain('"version":"1.0.0"')
    const check = await runCli(['check', '--server', 'internal.home/memory', '--', ...realServer('memory')], {
      home,
    })
    expect(check.code).toBe(3)
    expect(check.stdout).toContain('revoked')
  })
})
