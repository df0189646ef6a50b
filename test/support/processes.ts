import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const REGISTRY = fileURLToPath(new URL('../../bin/countersign-registry.js', import.meta.url))
const CLI = fileURLToPath(new URL('../../client/bin/countersign.js', import.meta.url))

/** A registry in a process of its own, as `npm start` runs it. */
export interface RunningRegistry {
  readonly child: ChildProcess
  readonly url: string
  readonly fingerprint: string
  /** Empty when this is not the folder's first start. */
  readonly oneTimePassword: string
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>
}

/** Starts the built registry on a free loopback port and reads what it prints. */
export async function startRegistry(
  dataDir: string,
  env: Record<string, string> = {},
): Promise<RunningRegistry> {
  const child = spawn(process.execPath, [REGISTRY, 'serve'], {
    env: {
      ...process.env,
      COUNTERSIGN_LISTEN: '127.0.0.1:0',
      COUNTERSIGN_DATA_DIR: dataDir,
      COUNTERSIGN_ROLLBACK_FILE: `${dataDir}.rollback`,
      COUNTERSIGN_LOG_LEVEL: 'warn',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const found = await new Promise<{ url: string; fingerprint: string; password: string }>(
    (resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the registry ended with ${code}: ${printed}`)))
      child.stdout.on('data', (chunk: Buffer) => {
        printed += chunk.toString()
        const url = /https?:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0]
        const fingerprint = /sha256:[0-9a-f]{64}/.exec(printed)?.[0]
        const password = /--one-time-password (\S+)/.exec(printed)?.[1] ?? ''
        const isWhole = /^ {2}data .*\n/m.test(printed)
        const isFirst = printed.includes('First start')
        if (isFirst && !/--one-time-password \S+\n/.test(printed)) return
        if (url !== undefined && fingerprint !== undefined && isWhole) resolve({ url, fingerprint, password })
      })
    },
  )
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  return { child, url: found.url, fingerprint: found.fingerprint, oneTimePassword: found.password, stop }
}

/** Runs one built `countersign` command with `--json`; fails on any exit code but the expected one. */
export async function runCountersign(
  args: readonly string[],
  expected = 0,
): Promise<Record<string, unknown>> {
  const child = spawn(process.execPath, [CLI, '--json', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  const text = Buffer.concat(out).toString()
  if (code !== expected) {
    throw new Error(
      `countersign ${args.join(' ')} ended with ${String(code)}: ${text}${Buffer.concat(err).toString()}`,
    )
  }
  return JSON.parse(text) as Record<string, unknown>
}
