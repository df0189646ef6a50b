import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startRegistry, type TestRegistry } from './registry.js'

const bin = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'client', 'bin', 'countersign.js')

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** The one JSON document of `--json`. */
  json(): Record<string, unknown>
}

export interface CliOptions {
  readonly home: string
  readonly registry?: string
  readonly input?: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** The command line of the built program. */
export function cliCommand(...args: readonly string[]): string[] {
  return [process.execPath, bin, ...args]
}

/** Runs the built program to its end. */
export function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const { home, registry, input = '', cwd, env } = options
  const child = spawn(process.execPath, [bin, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(cwd !== undefined && { cwd }),
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      COUNTERSIGN_HOME: home,
      ...(registry !== undefined && { COUNTERSIGN_REGISTRY: registry }),
      ...env,
    },
  })
  // It may end before it has read it all.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      const stdout = Buffer.concat(out).toString('utf8')
      const stderr = Buffer.concat(err).toString('utf8')
      resolve({ code: code ?? -1, stdout, stderr, json: () => JSON.parse(stdout) as Record<string, unknown> })
    })
  })
}

/** A person's folder, and a registry they are an admin of, logged in and with a namespace of their own. */
export interface Desk {
  readonly registry: TestRegistry
  readonly home: string
  readonly namespace: string
  run(...args: readonly string[]): Promise<CliResult>
  /** Runs with `--json` and expects success. */
  ok(...args: readonly string[]): Promise<Record<string, unknown>>
  file(name: string, content: string): string
  close(): Promise<void>
}

export async function openDesk(): Promise<Desk> {
  const registry = await startRegistry()
  const home = mkdtempSync(join(tmpdir(), 'countersign-home-'))
  const run = (...args: readonly string[]): Promise<CliResult> => runCli(args, { home })
  const ok = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
    const at = args.indexOf('--')
    const result = await run(
      ...(at < 0 ? [...args, '--json'] : [...args.slice(0, at), '--json', ...args.slice(at)]),
    )
    if (result.code !== 0)
      throw new Error(`${args.join(' ')}: exit ${result.code}\n${result.stdout}\n${result.stderr}`)
    return result.json()
  }
  const file = (name: string, content: string): string => {
    const path = join(home, name)
    writeFileSync(path, content, { mode: 0o600 })
    return path
  }
  const desk: Desk = {
    registry,
    home,
    namespace: 'internal.desk',
    run,
    ok,
    file,
    async close() {
      await registry.close()
      rmSync(home, { recursive: true, force: true })
    },
  }
  await settle(desk)
  return desk
}

/** The first minute up to the first key; the password is spent by the registry's own test helper, so a client logs in. */
async function settle(desk: Desk): Promise<void> {
  const { registry, namespace } = desk
  const { clientId, clientSecret } = registry.admin.client
  const secret = desk.file('secret.txt', `${clientSecret}\n`)
  await desk.ok('trust', 'add', registry.url, '--fingerprint', registry.fingerprint)
  await desk.ok('login', '--client-id', clientId, '--client-secret-file', secret)
  await desk.ok('keygen')
  await desk.ok('namespace', 'grant', namespace, '--account', 'admin')
  await desk.ok('key', 'add', namespace, '--account', 'admin')
}
