import { spawn, type ChildProcess } from 'node:child_process'
import { cliCommand } from '../support/cli.js'

/** `countersign witness --json` as built, in a process of its own. */
export interface WitnessProcess {
  readonly child: ChildProcess
  readonly vkey: string
  readonly url: string
  readonly logs: readonly string[]
  /** What it has said on stderr so far. */
  said(): string
  /** Ends it and returns its exit code; null for one that was killed. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

const START_MS = 60_000

/** Starts it; rejects when it ends before it answers. */
export async function startWitnessProcess(...args: readonly string[]): Promise<WitnessProcess> {
  const [command = '', ...rest] = cliCommand('witness', '--listen', '0', '--json', ...args)
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let err = ''
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  // Not only ended: everything it said has been read.
  const closed = new Promise((resolve) => child.once('close', resolve))
  const greeting = await firstLine(child, () => err)
  const { vkey, url, logs } = JSON.parse(greeting) as { vkey: string; url: string; logs: string[] }
  return {
    ...{ child, vkey, url, logs },
    said: () => err,
    end: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      await closed
      return child.exitCode
    },
  }
}

async function firstLine(child: ChildProcess, err: () => string): Promise<string> {
  let out = ''
  return await new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(late)
      child.kill('SIGKILL')
      reject(new Error(`the witness did not start: ${why} ${out} ${err()}`))
    }
    const late = setTimeout(() => fail('time is up'), START_MS)
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString()
      if (!out.includes('\n')) return
      clearTimeout(late)
      resolve(out)
    })
    child.once('error', ({ message }) => fail(message))
    child.once('exit', (code) => fail(`ended with ${String(code)}`))
  })
}
