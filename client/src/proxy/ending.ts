import process from 'node:process'
import type { Log } from './target.js'

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/** How a guard that is a process ends: for the first reason that there is. */
export interface Ending {
  readonly code: Promise<number>
  readonly end: (code: number) => void
  readonly fail: (error: unknown) => void
}

export function openEnding(log: Log): Ending {
  let settle: (code: number) => void = () => undefined
  let ended = false
  const code = new Promise<number>((resolve) => (settle = resolve))
  const end = (with_: number): void => {
    ended = true
    settle(with_)
  }
  const fail = (error: unknown): void => {
    if (!ended) log(error instanceof Error ? error.message : String(error))
    end(1)
  }
  return { code, end, fail }
}

/**
 * Ends on a signal, and on what nobody expected: a guard that no longer knows its own state passes nothing on. A second
 * such fault, while it ends, ends it where it stands.
 * @returns what takes the handlers off again
 */
export function onProcessEnd(ending: Ending): () => void {
  let faults = 0
  const onFault = (error: unknown): void => {
    ending.fail(error)
    if (++faults > 1) process.exit(1)
  }
  const handlers = Object.entries(SIGNALS).map(([signal, code]) => [signal, () => ending.end(code)] as const)
  for (const [signal, handler] of handlers) process.on(signal, handler)
  process.on('uncaughtException', onFault)
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler)
    process.off('uncaughtException', onFault)
  }
}
