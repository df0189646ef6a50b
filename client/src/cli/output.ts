import { safeJson, safeLines, safeText } from './escape.js'

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow'

/** A piece of a line with a colour of ours. */
export interface Styled {
  readonly text: string
  readonly style: Style
}

/** One line of output. Every piece is escaped when it is printed: no caller has to remember. */
export type Line = string | readonly (string | Styled)[]

/** Results go to stdout, once; talk and progress go to stderr. */
export interface Output {
  readonly json: boolean
  /** The command's result: the document with `--json`, the lines otherwise. */
  result(document: unknown, lines: readonly Line[]): void
  /** Raw bytes of a result that is itself a document, such as a bundle. */
  bytes(data: Uint8Array | string): void
  say(line: Line): void
  /** Said only to a person who waits at a terminal. */
  progress(text: string): void
}

export interface Streams {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

const CODES: Readonly<Record<Style, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 }

export function openOutput(options: { json: boolean; streams: Streams; env: NodeJS.ProcessEnv }): Output {
  const { json, streams, env } = options
  const paints = (stream: NodeJS.WriteStream): boolean =>
    stream.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  return {
    json,
    result(document, lines) {
      if (json) streams.stdout.write(`${safeJson(document)}\n`)
      else for (const line of lines) streams.stdout.write(`${formatLine(line, paints(streams.stdout))}\n`)
    },
    bytes(data) {
      const { stdout } = streams
      if (!stdout.isTTY) stdout.write(data)
      // Nobody signs or keeps what a terminal shows: there it is shown, and obeyed by nothing.
      else stdout.write(safeLines(Buffer.from(data).toString('utf8')).join('\n'))
    },
    say: (line) => void streams.stderr.write(`${formatLine(line, paints(streams.stderr))}\n`),
    progress(text) {
      if (streams.stderr.isTTY)
        streams.stderr.write(`${formatLine([dim(`… ${text}`)], paints(streams.stderr))}\n`)
    },
  }
}

/** A line as it is written: escaped, then coloured. */
export function formatLine(line: Line, colour: boolean): string {
  const pieces = typeof line === 'string' ? [line] : line
  return pieces.map((piece) => formatPiece(piece, colour)).join('')
}

function formatPiece(piece: string | Styled, colour: boolean): string {
  if (typeof piece === 'string') return safeText(piece)
  const text = safeText(piece.text)
  return colour ? `\u001b[${CODES[piece.style]}m${text}\u001b[0m` : text
}

export function bold(text: string): Styled {
  return { text, style: 'bold' }
}

export function dim(text: string): Styled {
  return { text, style: 'dim' }
}

export function red(text: string): Styled {
  return { text, style: 'red' }
}

export function green(text: string): Styled {
  return { text, style: 'green' }
}

export function yellow(text: string): Styled {
  return { text, style: 'yellow' }
}

/** Foreign text of several lines, each behind a bar, so that it cannot pass for a line of ours. */
export function quoted(text: string, indent = '  '): Line[] {
  return text.split(/\r?\n/).map((line) => [indent, dim('│ '), line])
}

/** `name   value` lines with the values in one column. */
export function pairs(rows: readonly (readonly [string, string])[]): Line[] {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => [dim(name.padEnd(width + 2)), value])
}

/** The same lines, further in. */
export function indented(lines: readonly Line[], by = '    '): Line[] {
  return lines.map((line) => [by, ...(typeof line === 'string' ? [line] : line)])
}

/** Rows under their headings, each column as wide as its widest cell; empty columns are left out. */
export function table(headings: readonly string[], rows: readonly (readonly (string | Styled)[])[]): Line[] {
  // Escaped first: what is shown is what is counted.
  const cells = rows.map((row) => row.map(escapedCell))
  const widths = headings.map((_, i) => Math.max(0, ...cells.map((row) => textOf(row[i] ?? '').length)))
  const used = headings.map((_, i) => i).filter((i) => (widths[i] ?? 0) > 0)
  const width = (i: number): number => Math.max(widths[i] ?? 0, headings[i]?.length ?? 0)
  const line = (row: readonly (string | Styled)[]): Line =>
    used.flatMap((i, n) => {
      const cell = row[i] ?? ''
      const isLast = n === used.length - 1
      return isLast ? [cell] : [cell, ' '.repeat(width(i) - textOf(cell).length + 2)]
    })
  return [line(headings.map(dim)), ...cells.map(line)]
}

function escapedCell(cell: string | Styled): string | Styled {
  return typeof cell === 'string' ? safeText(cell) : { ...cell, text: safeText(cell.text) }
}

function textOf(cell: string | Styled): string {
  return typeof cell === 'string' ? cell : cell.text
}
