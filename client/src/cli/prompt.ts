import { createInterface } from 'node:readline/promises'
import { refuse } from '../core/index.js'
import type { Context } from './context.js'
import type { Line } from './output.js'

/**
 * Asks before what cannot be undone: only a person at a terminal, and not one who said --yes. A script is not asked.
 * @throws CountersignError `usage` when the answer is no
 */
export async function confirm(context: Context, question: Line, options: { yes?: boolean }): Promise<void> {
  if (options.yes === true || context.out.json || !isTerminal()) return
  context.out.say(question)
  const reader = createInterface({ input: process.stdin, output: process.stderr })
  // Ctrl-C and Ctrl-D close the reader, whose question would then stay open for ever.
  const closed = new AbortController()
  reader.once('close', () => closed.abort())
  const signal = AbortSignal.any([context.signal, closed.signal])
  try {
    const answer = await reader.question('Type yes to go on: ', { signal }).catch((error: unknown) => {
      if (!closed.signal.aborted) throw error
      return ''
    })
    if (answer.trim().toLowerCase() !== 'yes') refuse('usage', 'nothing was done')
  } finally {
    reader.close()
  }
}

function isTerminal(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY
}
