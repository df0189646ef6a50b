import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** What the load generator is to do: one address for some time, or every envelope of a file once. */
export type Job = { readonly url: string; readonly connections: number } & (
  | { readonly seconds: number }
  /** One a line; their number is a multiple of the connections. */
  | { readonly envelopes: string; readonly token: string }
)

export interface Load {
  /** Answered with 2xx. */
  readonly requests: number
  readonly failed: number
  readonly seconds: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Of the generator. */
  readonly cpuMicroseconds: number
}

/** A load, and what the server used of the processor meanwhile, a request. */
export interface Measured extends Load {
  readonly rate: number
  readonly serverMicroseconds: number
}

const LOAD = fileURLToPath(new URL('load-main.ts', import.meta.url))
const BARE = fileURLToPath(new URL('bare-main.ts', import.meta.url))

function start(file: string, argument: string): ChildProcess {
  const args = ['--import', 'tsx', file, argument]
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** Runs the generator against the servers with these process ids; anything but 2xx is a failure of the benchmark. */
export async function runLoad(job: Job, pids: readonly number[]): Promise<Measured> {
  const before = cpuOf(pids)
  const child = start(LOAD, JSON.stringify(job))
  let printed = ''
  child.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`the load generator ended with ${String(code)}`)
  const load = JSON.parse(printed) as Load
  if (load.failed > 0 || load.requests === 0) throw new Error(`requests failed: ${printed}`)
  const serverMicroseconds = (cpuOf(pids) - before) / load.requests
  return { ...load, rate: load.requests / load.seconds, serverMicroseconds }
}

/** User and system time of the processes so far, in microseconds; 0 where the system does not tell. */
function cpuOf(pids: readonly number[]): number {
  const ticks = pids.map((pid) => {
    const path = `/proc/${pid}/stat`
    if (!existsSync(path)) return 0
    // The command's name, in parentheses, may hold anything.
    const fields = readFileSync(path, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return Number(fields[11]) + Number(fields[12])
  })
  return ticks.reduce((all, one) => all + one, 0) * 10_000
}

export interface BareServer {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

/** A bare `node:http` server of the bytes in a file. */
export async function startBare(file: string): Promise<BareServer> {
  const child = start(BARE, file)
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()))
    child.once('exit', (code) => reject(new Error(`the bare server ended with ${String(code)}`)))
  })
  const stop = async (): Promise<void> => {
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    await gone
  }
  return { url, pid: child.pid ?? 0, stop }
}
