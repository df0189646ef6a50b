import process from 'node:process'
import type { Readable, Writable } from 'node:stream'
import { confirm, isCancel, select } from '@clack/prompts'

/** What a person does with a question: answers it, leaves it for later, or leaves all that is left. */
export type Choice = 'agreed' | 'refused' | 'later' | 'stop'

/** Puts questions to a person. A port: tests answer by themselves. */
export interface Asker {
  choose(place: { readonly n: number; readonly of: number }): Promise<Choice>
  /** Once more, before something dangerous is agreed to. */
  isSure(): Promise<boolean>
}

export interface Terminal {
  readonly input: Readable
  readonly output: Writable
}

/** Whether there is a person at the terminal. */
export function isTerminal(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY
}

/** Asks at the terminal; results own stdout, so everything is shown on stderr. Ctrl-C stops, and agrees to nothing. */
export function terminalAsker(
  signal: AbortSignal,
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Asker {
  return {
    async choose({ n, of }) {
      const chosen = await select<Choice>({
        message: `Question ${n} of ${of}: what do you say?`,
        initialValue: 'later',
        options: [
          { value: 'later', label: 'Later', hint: 'it stays held back, and waits' },
          { value: 'agreed', label: 'Agree', hint: 'to exactly this' },
          { value: 'refused', label: 'Refuse', hint: 'it stays held back, and is not asked again' },
          { value: 'stop', label: 'Stop here' },
        ],
        signal,
        ...terminal,
      })
      return isCancel(chosen) ? 'stop' : chosen
    },
    async isSure() {
      const said = await confirm({
        message: 'This change is classed dangerous. Agree all the same?',
        initialValue: false,
        signal,
        ...terminal,
      })
      return said === true
    },
  }
}
