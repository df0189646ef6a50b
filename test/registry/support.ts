import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { memoryInProcess, openHost, registryApi, type Host } from 'countersign'
import { readConfig, type Config, type Secrets } from '../../src/config.js'
import { openListener } from '../../src/http/server.js'
import { openRegistry, type Overrides } from '../../src/registry.js'
import { parseCommandLine } from '../../src/registry/command-line.js'
import type { Command } from '../../src/registry/commands/command.js'
import { OperatorError } from '../../src/registry/errors.js'
import type { Terminal } from '../../src/registry/terminal.js'
import { PATIENT_MS } from '../support/ledger.js'
import { bootstrap, callerOf, type Client, type TestRegistry } from '../support/registry.js'

/** A folder that a registry is run in, and what its operator says and hears. */
export interface Place {
  readonly dir: string
  readonly config: Config
  readonly secrets: Secrets
  /** Runs one command of the program within this process; resolves with what it said and told. */
  run(command: Command, argv: readonly string[], how?: RunOptions): Promise<Said>
  /** A path in the folder. */
  file(name: string): string
  start(overrides?: Overrides): Promise<Running>
  /** Stops whatever runs in it. */
  stop(): Promise<void>
  /** The admin's, once it was started. */
  client(): Client | undefined
  remove(): Promise<void>
}

export interface RunOptions {
  /** Answers every question with no. */
  readonly refuses?: boolean
  /** Hears what is told, as it is told. */
  readonly onTell?: (text: string) => void
  readonly now?: number
}

export interface Said {
  readonly say: readonly string[]
  readonly tell: readonly string[]
  readonly asked: readonly string[]
}

/** Like any other registry of tests, but it can be stopped, and started again in its folder. */
export interface Running extends TestRegistry {
  stop(): Promise<void>
}

/**
 * `from`: begins as a copy of another place, where nothing runs; its admin is the same. Settings come on top of those that keep
 * it to itself; `known` is the admin of a registry whose database comes into it.
 */
export function openPlace(
  from?: Place,
  settings: Readonly<Record<string, string>> = {},
  known: Client | undefined = from?.client(),
): Place {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-operator-'))
  if (from !== undefined) cpSync(from.dir, dir, { recursive: true })
  const { config, secrets } = readConfig({
    COUNTERSIGN_DATA_DIR: join(dir, 'data'),
    COUNTERSIGN_ROLLBACK_FILE: join(dir, 'state', 'registry.rollback'),
    COUNTERSIGN_LISTEN: '127.0.0.1:0',
    COUNTERSIGN_LOG_LEVEL: 'silent',
    ...settings,
  })
  let client = known
  const running = new Set<Running>()
  const stop = async (): Promise<void> => {
    for (const one of running) {
      running.delete(one)
      await one.stop()
    }
  }
  return {
    ...{ dir, config, secrets },
    file: (name) => join(dir, name),
    client: () => client,
    run: (command, argv, how) => runCommand(command, argv, { config, secrets }, how),
    async start(overrides = {}) {
      const started = await startAt({ dir, config, secrets }, overrides, client)
      client = started.admin.client
      running.add(started)
      const end = async (): Promise<void> => {
        if (running.delete(started)) await started.stop()
      }
      return { ...started, stop: end, close: end }
    },
    stop,
    async remove() {
      await stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

type Settings = Pick<Place, 'config' | 'secrets'>

async function runCommand(
  command: Command,
  argv: readonly string[],
  settings: Settings,
  { refuses = false, onTell, now = Date.now() }: RunOptions = {},
): Promise<Said> {
  const line = parseCommandLine(argv)
  if ('help' in line) throw new Error('it is a call for help')
  const said = { say: [] as string[], tell: [] as string[], asked: [] as string[] }
  const terminal: Terminal = {
    say: (text) => void said.say.push(text),
    tell: (text) => {
      said.tell.push(text)
      onTell?.(text)
    },
    confirm: (question) => {
      said.asked.push(question)
      return refuses ? Promise.reject(new OperatorError('not-agreed', question)) : Promise.resolve()
    },
  }
  await command({ ...settings, terminal, input: line.input, now })
  return said
}

const WIDE = { points: 1_000_000, seconds: 1 }

async function startAt(
  { dir, config, secrets }: Settings & { readonly dir: string },
  overrides: Overrides,
  known: Client | undefined,
): Promise<Running> {
  const listener = await openListener(config.listen)
  const limits = { token: WIDE, bootstrap: WIDE, writes: WIDE, proofs: WIDE }
  const settled = { ...config, publicUrl: listener.url }
  const log = pino({ level: 'silent' })
  const registry = await openRegistry(settled, secrets, log, {
    ...{ limits, publishWaitMs: PATIENT_MS, ...overrides },
  }).catch(async (cause: unknown) => {
    await listener.close(0)
    throw cause
  })
  listener.serve(registry.app)
  const { identity, fingerprint, oneTimePassword } = registry
  const client = known ?? (await bootstrap(listener.url, 'admin', oneTimePassword ?? ''))
  const stop = async (): Promise<void> => {
    await listener.close(0)
    await registry.close()
  }
  return {
    ...{ url: listener.url, identity, fingerprint, dir, registry, secrets },
    admin: callerOf(listener.url, client),
    ...{ stop, close: stop },
    restart: () => Promise.reject(new Error('stop it, and start it again')),
  }
}

/** A host that pinned this first root, with a memory that may be kept over starts. */
export async function hostOf(
  at: Running,
  { rootNote, memory = memoryInProcess() }: { rootNote: string; memory?: ReturnType<typeof memoryInProcess> },
): Promise<Host> {
  const { identity, fingerprint } = at
  const registry = registryApi(at.url, { timeoutMs: PATIENT_MS })
  return openHost({ registry, trust: { identity, rootNote, fingerprint }, memory })
}

export async function fetchText(at: Running, path: string): Promise<string> {
  const response = await fetch(at.url + path)
  if (response.status !== 200) throw new Error(`${path}: ${response.status}`)
  return response.text()
}
