import { isUtf8 } from 'node:buffer'
import { errorFrame, INTERNAL_ERROR } from '../guard/frames.js'
import { exactTextOf, keepExactText } from './exact-text.js'
import { LineReader } from './line-reader.js'
import { TopLevelId } from './top-level-id.js'

/** Why something that came in as a line did not become a message. */
export type LineFault = 'not-json' | 'not-utf8' | 'oversized'

export interface MessageHandlers {
  readonly onMessage: (message: object) => void
  /** A line was left out; the id is the one it bears, for whoever waits for it. */
  readonly onFault: (fault: LineFault, id: TopLevelId) => void
}

/** Messages out of a byte stream, one a line. Never throws: what is no message is reported and left out. */
export function messageReader({ onMessage, onFault }: MessageHandlers): LineReader {
  return new LineReader({
    onLine: (line) => {
      const message = readMessage(line)
      if (typeof message === 'object') onMessage(message)
      else onFault(message, idOf(line))
    },
    onOversized: (id) => onFault('oversized', id),
  })
}

function readMessage(line: Buffer): object | LineFault {
  if (!isUtf8(line)) return 'not-utf8'
  try {
    const text = line.toString('utf8')
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return 'not-json'
    keepExactText(value, text)
    return value
  } catch {
    return 'not-json'
  }
}

function idOf(line: Buffer): TopLevelId {
  const id = new TopLevelId()
  id.push(line)
  return id
}

/**
 * The line that says this message. What goes on is written anew from what was read: of two members of one name the guard
 * judged the last, and whoever reads the bytes might take the first.
 * @throws RangeError for what is nested deeper than the engine writes
 */
export function formatLine(message: object): string {
  return `${exactTextOf(message) ?? JSON.stringify(message)}\n`
}

/** In place of an answer that cannot be had: whoever waits for it is told, without a word of the server in it. */
export function lostAnswer(id: string | number, why: string): object {
  return errorFrame(id, INTERNAL_ERROR, why)
}

export const FAULT_SENTENCES: Readonly<Record<LineFault, string>> = {
  'not-json': 'a line that is no JSON',
  'not-utf8': 'a line that is no UTF-8',
  oversized: 'a message of more than 10 MB',
}

export const TOO_DEEP = 'a message is nested too deeply to be written'
