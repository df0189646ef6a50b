import process from 'node:process'
import type { Readable, Writable } from 'node:stream'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import { guardTransport, type GuardedTransport, type GuardOptions } from '../guard/index.js'
import { Outbox } from './outbox.js'
import { describeEvent } from './report.js'

export interface GuardProcessOptions extends GuardOptions {
  readonly command: string
  readonly args: readonly string[]
  /** What the server's environment holds besides the short list that every program needs (PATH, HOME …). */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The host's end; default: this process's stdin and stdout. Stdout carries JSON-RPC and nothing else. */
  readonly stdin?: Readable
  readonly stdout?: Writable
  /** Where lines for people go; default: stderr, where the server's own stderr goes too. */
  readonly log?: (line: string) => void
}

const MAX_LINE_BYTES = 10 * 1024 * 1024
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/**
 * The guard as a process over stdio: what a host starts in place of the server. It starts the server itself, puts
 * {@link guardTransport} between the two, and ends when the host closes stdin, when the server ends, or on a signal;
 * the server is then asked to end by closing its stdin, and after two seconds each by SIGTERM and SIGKILL.
 *
 * @returns the exit code: 0 when the host ended it, 1 when the server could not start or ended by itself, 128 + n after
 * signal n
 */
export async function runGuardProcess(options: GuardProcessOptions): Promise<number> {
  const log = options.log ?? ((line) => process.stderr.write(`countersign: ${line}\n`))
  const front = new StdioServerTransport(options.stdin, options.stdout, { maxBufferSize: MAX_LINE_BYTES })
  const guarded = guardTransport(openServer(options), { ...options, onEvent: reportTo(log, options) })
  const ending = connect(front, guarded, log)
  const release = onSignals(ending.end)
  try {
    await guarded.start()
    await front.start()
  } catch (error) {
    log(`could not start ${options.command}: ${error instanceof Error ? error.message : String(error)}`)
    ending.end(1)
  }
  const code = await ending.code
  release()
  guarded.onclose = undefined
  await Promise.allSettled([front.close(), guarded.close()])
  return code
}

function openServer({ command, args, env, cwd }: GuardProcessOptions): StdioClientTransport {
  return new StdioClientTransport({
    command,
    args: [...args],
    // The transport adds these to its own allow-list; nothing else of this environment reaches the server.
    env: { ...env },
    stderr: 'inherit',
    maxBufferSize: MAX_LINE_BYTES,
    ...(cwd !== undefined && { cwd }),
  })
}

function reportTo(log: (line: string) => void, { onEvent }: GuardOptions): GuardOptions['onEvent'] & object {
  return (event) => {
    const line = describeEvent(event)
    if (line !== undefined) log(line)
    onEvent?.(event)
  }
}

interface Ending {
  readonly code: Promise<number>
  /** The first reason counts. */
  readonly end: (code: number) => void
}

function connect(
  front: StdioServerTransport,
  guarded: GuardedTransport,
  log: (line: string) => void,
): Ending {
  const { promise: code, resolve: end } = withResolvers<number>()
  const fail = (error: unknown): void => {
    log(error instanceof Error ? error.message : String(error))
    end(1)
  }
  const toHost = new Outbox((message) => front.send(message as never), fail)
  // Not one after the other: a call that waits for a verdict must not hold back the answer the server waits for.
  front.onmessage = (message) => void guarded.send(message).catch(fail)
  front.onerror = (error) => log(`from the host: ${error.message}`)
  front.onclose = () => end(0)
  guarded.onmessage = (message) => toHost.push(message)
  guarded.onerror = (error) => log(`from the server: ${error.message}`)
  guarded.onclose = () => fail(new Error('the server ended'))
  return { code, end }
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => (resolve = settle))
  return { promise, resolve }
}

function onSignals(end: (code: number) => void): () => void {
  const handlers = Object.entries(SIGNALS).map(([signal, code]) => [signal, () => end(code)] as const)
  for (const [signal, handler] of handlers) process.on(signal, handler)
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }
}
