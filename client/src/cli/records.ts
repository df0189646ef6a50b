import { join } from 'node:path'
import { openRecords, type Records, type RecordsProblem } from '../records/index.js'
import type { Context } from './context.js'

/** How a command says where its records go. */
export interface RecordOptions {
  /** A path, `-` for stderr, `fd:N`; false: none are written. Default: {@link recordsFile}. */
  readonly events?: string | false
  /** Values of arguments are written as they are. */
  readonly recordArguments?: boolean
}

/** Where the guards and the commands of one home folder write what they showed, called and refused. */
export function recordsFile({ home }: Pick<Context, 'home'>): string {
  return join(home, 'records', 'calls.jsonl')
}

/** Undefined where the person wants none. @throws CountersignError `usage` */
export function openCliRecords(
  context: Pick<Context, 'home'>,
  { events = recordsFile(context), recordArguments = false }: RecordOptions,
  log: (line: string) => void,
): Records | undefined {
  if (events === false) return undefined
  return openRecords({
    file: events,
    redact: recordArguments ? 'nothing' : 'values',
    onProblem: (problem) => log(describeProblem(problem)),
  })
}

function describeProblem(problem: RecordsProblem): string {
  switch (problem.type) {
    case 'failing':
      return `call records cannot be written (${problem.code}); they wait as far as there is room`
    case 'dropping':
      return 'call records are lost from now on: too many wait to be written'
    case 'recovered':
      return `call records are written again; ${problem.dropped} were lost`
  }
}
