import { fstatSync, write } from 'node:fs'
import { Socket } from 'node:net'
import { LineAppender, type LineSink } from './sink.js'

const STDERR = 2

/**
 * A file descriptor that whoever started this process opened: stderr, or another. A pipe that nobody reads holds back
 * records and nothing else; one of our own is written without blocking, so that it cannot hold this process either.
 * Stderr is shared with the server, which may not cope with that.
 */
export function descriptorSink(fd: number): LineSink {
  return fd !== STDERR && isStream(fd) ? streamSink(fd) : blockingSink(fd)
}

/** One that is not there is found out when it is written to. */
function isStream(fd: number): boolean {
  try {
    const about = fstatSync(fd)
    return about.isFIFO() || about.isSocket()
  } catch {
    return false
  }
}

/** Each write waits in a thread of its own. */
function blockingSink(fd: number): LineSink {
  const lineEnds = new LineAppender()
  return {
    append: (lines) => lineEnds.append(lines, (bytes) => writeOnce(fd, bytes)),
    // It was opened by somebody else.
    close: () => Promise.resolve(),
  }
}

function writeOnce(fd: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, (error, written) => {
      if (error === null) resolve(written)
      else reject(error)
    })
  })
}

function streamSink(fd: number): LineSink {
  const socket = new Socket({ fd, readable: false, writable: true })
  // Each write is told of its failure.
  socket.on('error', () => undefined)
  socket.unref()
  return {
    append: (lines) =>
      new Promise((resolve, reject) => {
        socket.write(lines.join(''), (error) => {
          if (error instanceof Error) reject(error)
          else resolve(lines.length)
        })
      }),
    close: () =>
      new Promise((resolve) => {
        socket.once('close', () => resolve())
        socket.destroy()
      }),
  }
}
