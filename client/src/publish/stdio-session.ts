import type { ChildProcess } from 'node:child_process'
import spawn from 'cross-spawn'
import { CountersignError, type JsonObject } from '../core/index.js'
import { OWN_GROUP, stopGroup } from '../node/process-group.js'
import { Conversation } from './conversation.js'
import { LineSplitter, readFrame } from './frames.js'
import type { Session } from './session.js'

export interface StdioOptions {
  readonly command: string
  readonly args: readonly string[]
  /** The child's whole environment. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
}

const COMPLAINT_CHARS = 4_000

/** Starts the server as a host would: a fresh process (group), newline-delimited JSON on its stdin and stdout. */
export function openStdioSession(options: StdioOptions): Session {
  const child = start(options)
  const state = { noise: 0, complaint: '' }
  const conversation = new Conversation((frame) => writeFrame(child, frame))
  readStdout(child, conversation, state)
  child.stderr?.on('data', (chunk: Buffer) => {
    state.complaint = (state.complaint + chunk.toString('utf8')).slice(-COMPLAINT_CHARS)
  })
  watchEnd(child, conversation, options.command)
  return {
    request: (method, params, timeoutMs) => conversation.request(method, params, timeoutMs),
    notify: (method) => {
      conversation.notify(method)
      return Promise.resolve()
    },
    takeChanged: () => takeAll(conversation.changed),
    get noise() {
      return state.noise
    },
    get complaint() {
      return state.complaint
    },
    close: () => stopGroup(child),
  }
}

export function takeAll(set: Set<string>): ReadonlySet<string> {
  const taken = new Set(set)
  set.clear()
  return taken
}

/** A group of its own on POSIX, so that what npx starts ends with it. */
function start(options: StdioOptions): ChildProcess {
  return spawn(options.command, [...options.args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: options.env,
    ...OWN_GROUP,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  })
}

function writeFrame(child: ChildProcess, frame: JsonObject): void {
  if (child.stdin?.writable === true) child.stdin.write(`${JSON.stringify(frame)}\n`)
}

function readStdout(child: ChildProcess, conversation: Conversation, state: { noise: number }): void {
  const lines = new LineSplitter((line) => {
    const frame = readFrame(line)
    if (frame === undefined) state.noise += 1
    else conversation.receive(frame)
  })
  child.stdout?.on('data', (chunk: Buffer) => {
    try {
      lines.push(chunk)
    } catch (error) {
      child.stdout?.removeAllListeners('data').resume()
      conversation.break(error as Error)
    }
  })
}

function watchEnd(child: ChildProcess, conversation: Conversation, command: string): void {
  const broken = (message: string, cause?: unknown): void =>
    conversation.break(
      new CountersignError('capture-failed', message, { reason: 'server-exited' }, { cause }),
    )
  child.on('error', (error) => broken(`cannot start ${command}: ${error.message}`, error))
  // EPIPE of a server that went away: the close event below says it.
  child.stdin?.on('error', () => undefined)
  child.on('close', (code, signal) => broken(`the server ended with ${signal ?? `exit code ${code ?? 0}`}`))
}
