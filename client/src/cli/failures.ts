import { CountersignError } from '../core/index.js'
import { explainVerdict, isVerdict } from '../verdict.js'
import { dim, red, type Line, type Output } from './output.js'
import { remedyOf } from './remedies.js'

/** Exit codes: 0 ok, 1 failed, 2 usage, 3 refused, 4 registry unreachable. */
export const EXIT = { ok: 0, failed: 1, usage: 2, refused: 3, unreachable: 4 } as const

/** The command is over and has said all there is to say: only the exit code is left. */
export class Ended extends Error {
  override readonly name: string = 'Ended'
  readonly exitCode: number

  constructor(exitCode: number, message = 'the command ended') {
    super(message)
    this.exitCode = exitCode
  }
}

/** A command ended as it should and refuses all the same: its result is printed already. */
export class Refused extends Ended {
  override readonly name = 'Refused'

  constructor(message: string) {
    super(EXIT.refused, message)
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof Ended) return error.exitCode
  if (!(error instanceof CountersignError)) return EXIT.failed
  if (error.code === 'usage') return EXIT.usage
  if (error.code === 'registry-unreachable') return EXIT.unreachable
  return isVerdict(error.code) ? EXIT.refused : EXIT.failed
}

/** Prints why a command failed and what a person can do about it. */
export function report(error: unknown, out: Output): void {
  if (error instanceof Ended) return
  if (out.json) {
    out.result({ error: documentOf(error) }, [])
    return
  }
  const [first, ...rest] = linesOf(error)
  out.say([red('error'), ' ', ...(typeof first === 'string' ? [first] : (first ?? []))])
  for (const line of rest) out.say(line)
}

/** A failure as `--json` prints it. */
export function documentOf(error: unknown): unknown {
  if (!(error instanceof CountersignError)) return { code: 'internal', message: messageOf(error) }
  const { code, message, detail } = error
  const words = isVerdict(code) ? explainVerdict(code, detail) : remedyOnly(error)
  return { code, message, ...words, detail }
}

function linesOf(error: unknown): Line[] {
  if (!(error instanceof CountersignError)) return [messageOf(error)]
  const lines: Line[] = [[error.message, ' ', dim(`(${error.code})`)]]
  if (isVerdict(error.code)) {
    const { sentence, remedy } = explainVerdict(error.code, error.detail)
    lines.push(['  ', sentence], ['  ', remedy])
  } else {
    const { remedy } = remedyOnly(error)
    if (remedy !== undefined) lines.push(['  ', remedy])
  }
  for (const [name, value] of Object.entries(error.detail)) lines.push(...detailLines(name, value))
  return lines
}

function detailLines(name: string, value: unknown): Line[] {
  const text = Array.isArray(value) ? value.join('\n') : String(value)
  const rows = text.trimEnd().split(/\r?\n/)
  if (rows.length === 1) return [['  ', dim(`${name}: `), text.trimEnd()]]
  return [['  ', dim(`${name}:`)], ...rows.map((row): Line => ['    ', dim('│ '), row])]
}

function remedyOnly(error: CountersignError): { remedy?: string } {
  const remedy = remedyOf(error)
  return remedy === undefined ? {} : { remedy }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
