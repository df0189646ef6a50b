import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../client/src/cli/program.js'
import type { Streams } from '../../client/src/cli/output.js'
import type { CliResult } from './cli.js'
import type { TestRegistry } from './registry.js'

/** A person at a machine of their own: runs the program within this process, which costs a test no start-up. */
export interface Seat {
  readonly home: string
  run(...args: readonly string[]): Promise<CliResult>
  /** With `--json`; expects success. */
  ok(...args: readonly string[]): Promise<Record<string, unknown>>
  /** With `--json`; expects failure, and gives its exit code and error. */
  fails(...args: readonly string[]): Promise<Failure>
  close(): void
}

export interface Failure {
  readonly exit: number
  readonly code: string
  readonly message: string
  readonly remedy?: string
  readonly detail: Readonly<Record<string, unknown>>
}

export interface SeatOptions {
  readonly registry?: string
  readonly env?: Readonly<Record<string, string>>
  /** Told everything that is said on stderr, as it is said. */
  readonly onSaid?: (text: string) => void
}

export function openSeat(options: SeatOptions = {}): Seat {
  const home = mkdtempSync(join(tmpdir(), 'countersign-seat-'))
  const env = {
    COUNTERSIGN_HOME: home,
    ...(options.registry !== undefined && { COUNTERSIGN_REGISTRY: options.registry }),
    ...options.env,
  }
  const runHere = (...args: readonly string[]): Promise<CliResult> => runInside(args, env, options.onSaid)
  return {
    home,
    run: runHere,
    async ok(...args) {
      const result = await runHere(...args, '--json')
      if (result.code !== 0) {
        throw new Error(`${args.join(' ')}: exit ${result.code}\n${result.stdout}\n${result.stderr}`)
      }
      return result.json()
    },
    async fails(...args) {
      const result = await runHere(...args, '--json')
      if (result.code === 0) throw new Error(`${args.join(' ')} went well:\n${result.stdout}`)
      return { exit: result.code, ...(result.json()['error'] as Omit<Failure, 'exit'>) }
    },
    close: () => rmSync(home, { recursive: true, force: true }),
  }
}

async function runInside(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  onSaid?: (text: string) => void,
): Promise<CliResult> {
  const out: string[] = []
  const err: string[] = []
  const streams = {
    stdout: sink((text) => out.push(text)),
    stderr: sink((text) => {
      err.push(text)
      onSaid?.(text)
    }),
  } as Streams
  const code = await run(args, { env, streams })
  const stdout = out.join('')
  return { code, stdout, stderr: err.join(''), json: () => JSON.parse(stdout) as Record<string, unknown> }
}

function sink(take: (text: string) => void): NodeJS.WriteStream {
  const write = (data: string | Uint8Array): boolean => {
    take(typeof data === 'string' ? data : Buffer.from(data).toString('utf8'))
    return true
  }
  return { isTTY: false, write } as unknown as NodeJS.WriteStream
}

/** A seat whose person trusts the registry and is logged in as the client of its first admin. */
export async function openAdminSeat(registry: TestRegistry): Promise<Seat> {
  const seat = openSeat()
  await trustRegistry(seat, registry)
  const { clientId, clientSecret } = registry.admin.client
  await logInAs(seat, registry, clientId, clientSecret)
  return seat
}

export async function trustRegistry(seat: Seat, registry: TestRegistry): Promise<void> {
  await seat.ok('trust', 'add', registry.url, '--fingerprint', registry.fingerprint)
}

export async function logInAs(seat: Seat, registry: TestRegistry, id: string, secret: string): Promise<void> {
  const file = join(seat.home, 'secret.txt')
  writeFileSync(file, `${secret}\n`, { mode: 0o600 })
  await seat.ok('login', '--registry', registry.url, '--client-id', id, '--client-secret-file', file)
}
