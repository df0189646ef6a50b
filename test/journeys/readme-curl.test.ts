import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../support/cli.js'
import { realServer } from '../support/cli-command.js'

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
  let folder: string
  let registry: ChildProcess
  let printed = ''
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-curl-'))
    // npx finds the command and the real server where `npm ci` put them.
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    registry = spawn(process.execPath, [join(root, 'bin/countersign-registry.js'), 'serve'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        XDG_STATE_HOME: join(folder, 'state'),
        COUNTERSIGN_DATA_DIR: join(folder, 'data'),
        COUNTERSIGN_LISTEN: '127.0.0.1:0',
      },
    })
    await new Promise<void>((resolve, reject) => {
      registry.stdout?.on('data', (chunk: Buffer) => {
        printed += chunk.toString()
        if (/one-time-password \S+\n/.test(printed)) resolve()
      })
      registry.on('exit', (code) => reject(new Error(`the registry ended with ${code}: ${printed}`)))
    })
  })
  afterAll(async () => {
    const ended = new Promise((resolve) => registry.once('exit', resolve))
    registry.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  })

  it('run as they are printed', async () => {
    const url = /https?:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0] ?? ''
    const fingerprint = /sha256:[0-9a-f]{64}/.exec(printed)?.[0] ?? ''
    const password = /one-time-password (\S+)/.exec(printed)?.[1] ?? ''
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
