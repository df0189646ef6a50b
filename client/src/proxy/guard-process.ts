import process from 'node:process'
import type { Readable, Writable } from 'node:stream'
import { onProcessEnd, openEnding, type Ending } from './ending.js'
import { openGuarded, type Guarded, type ProxyOptions } from './open-server.js'
import { openStdioHost, type StdioHost } from './stdio-host.js'
import type { Log } from './target.js'

export interface GuardProcessOptions extends ProxyOptions {
  /** The host's end; default: this process's stdin and stdout. Stdout carries JSON-RPC and nothing else. */
  readonly stdin?: Readable
  readonly stdout?: Writable
}

/**
 * The guard as a process over stdio: what a host starts in place of the server. It starts or reaches the server itself,
 * puts {@link guardTransport} between the two, and ends when the host closes stdin, when the server ends, or on a signal;
 * a server of its own is then asked to end by closing its stdin, and after two and three seconds by SIGTERM and SIGKILL to
 * everything that it started.
 *
 * @returns the exit code: 0 when the host ended it, 1 when the server could not start or ended by itself, 128 + n after
 * signal n
 */
export async function runGuardProcess(options: GuardProcessOptions): Promise<number> {
  const log = options.log ?? toStderr
  const ending = openEnding(log)
  const release = onProcessEnd(ending)
  const opened = await openGuarded(options, log, options.onEvent)
  const host = connect(options, opened, ending, log)
  try {
    await opened.guarded.start()
  } catch (error) {
    ending.fail(error)
  }
  const code = await ending.code
  opened.guarded.onclose = undefined
  await Promise.allSettled([host.close(), opened.guarded.close()])
  release()
  return code
}

export function toStderr(line: string): void {
  process.stderr.write(`countersign: ${line}\n`)
}

function connect(
  { stdin, stdout }: GuardProcessOptions,
  { server, guarded }: Guarded,
  ending: Ending,
  log: Log,
): StdioHost {
  const host = openStdioHost({
    ...(stdin !== undefined && { stdin }),
    ...(stdout !== undefined && { stdout }),
    // Not one after the other: a call that waits for a verdict must not hold back the answer the server waits for.
    onMessage: (message) => void guarded.send(message).catch(ending.fail),
    onFull: () => server.pause(),
    onDrain: () => server.resume(),
    onFault: (sentence) => log(`from the host: ${sentence}`),
    onEnd: () => ending.end(0),
  })
  server.onfull = () => host.pause()
  server.ondrain = () => host.resume()
  guarded.onmessage = (message) => host.send(message)
  guarded.onerror = (error) => log(`from the server: ${error.message}`)
  guarded.onclose = () => ending.fail(new Error('the server ended'))
  return host
}
