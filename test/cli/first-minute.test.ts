import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli, type CliResult } from '../support/cli.js'
import { realServer } from '../support/cli-command.js'

const bin = fileURLToPath(new URL('../../bin/countersign-registry.js', import.meta.url))

/** The README's first minute, word for word, against the registry as `npm start` starts it. */
describe('from npm start to a guarded server', () => {
  let folder: string
  let registry: ChildProcess
  let printed = ''
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-minute-'))
    registry = spawn(process.execPath, [bin, 'serve'], {
      stdio: ['ignore', 'pipe', 'pipe'],
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

  const run = (...args: string[]): Promise<CliResult> => runCli(args, { home: join(folder, 'home') })

  it('needs these commands and no others', async () => {
    const url = /https?:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0] ?? ''
    const fingerprint = /sha256:[0-9a-f]{64}/.exec(printed)?.[0] ?? ''
    const password = /one-time-password (\S+)/.exec(printed)?.[1] ?? ''
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
