import { fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import process from 'node:process'
import type { Readable, Writable } from 'node:stream'
import { typeFrame } from '../guard/frames.js'
import { LineWriter } from './line-writer.js'
import { FAULT_SENTENCES, lostAnswer, messageReader, TOO_DEEP } from './message-lines.js'

export interface StdioHostOptions {
  /** Default: this process's. */
  readonly stdin?: Readable
  readonly stdout?: Writable
  readonly onMessage: (message: object) => void
  readonly onFull: () => void
  readonly onDrain: () => void
  /** A line was left out. */
  readonly onFault: (sentence: string) => void
  /** The host is gone: its end of a pipe is closed, or broken. */
  readonly onEnd: () => void
}

/** A host that is not read cannot be heard to end: longer than this none waits. */
const MAX_PAUSE_MS = 10_000

/** The host's end over stdio. */
export interface StdioHost {
  readonly send: (message: object) => void
  readonly pause: () => void
  readonly resume: () => void
  readonly close: () => Promise<void>
}

/** Reads from now on. */
export function openStdioHost(options: StdioHostOptions): StdioHost {
  const { stdin = process.stdin, onMessage, onFull, onDrain, onFault, onEnd } = options
  const writer = new LineWriter(options.stdout ?? ownStdout(), { onFull, onDrain, onFailure: onEnd })
  const reader = messageReader({
    onMessage,
    onFault: (fault, { id, hasMethod }) => {
      onFault(`left out ${FAULT_SENTENCES[fault]}`)
      // The host waits for this one.
      if (id !== undefined && hasMethod)
        writer.write(lostAnswer(id, `${FAULT_SENTENCES[fault]} was not read`))
    },
  })
  const take = (chunk: Buffer): void => reader.push(chunk)
  stdin.on('data', take).on('end', onEnd).on('close', onEnd).on('error', onEnd)
  let pause: ReturnType<typeof setTimeout> | undefined
  return {
    send: (message) => {
      if (writer.tryWrite(message)) return
      const frame = typeFrame(message)
      // The id of a request is the server's own: the host would take an answer to it for one to a request of its own.
      if (frame?.kind === 'response') writer.write(lostAnswer(frame.id, TOO_DEEP))
      else onFault(`left out: ${TOO_DEEP}`)
    },
    pause: () => {
      clearTimeout(pause)
      pause = setTimeout(() => stdin.resume(), MAX_PAUSE_MS)
      stdin.pause()
    },
    resume: () => {
      clearTimeout(pause)
      stdin.resume()
    },
    close: async () => {
      clearTimeout(pause)
      stdin.off('data', take)
      // An open stdin would keep the process: the host may end without closing it.
      if (stdin === process.stdin) stdin.destroy()
      else stdin.pause()
      await writer.end()
    },
  }
}

/**
 * Node writes to a stdout that is a pipe and waits until it is taken: a host that does not read for a while would stop the
 * whole guard, its verdicts with it. As a socket of its own nothing waits.
 */
function ownStdout(): Writable {
  try {
    const stat = fstatSync(1)
    // Reading from the end of a pipe that is for writing fails, and the socket is gone before the first answer.
    if (process.platform !== 'win32' && (stat.isFIFO() || stat.isSocket()))
      return new Socket({ fd: 1, readable: stat.isSocket(), writable: true })
  } catch {
    return process.stdout // closed: writing to it says so
  }
  return process.stdout
}
