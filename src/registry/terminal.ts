import { createInterface } from 'node:readline/promises'
import { OperatorError } from './errors.js'

/** Where a command speaks: results for people and scripts, talk beside them, and a question now and then. */
export interface Terminal {
  /** A result. */
  say(text: string): void
  /** Talk that is no result. */
  tell(text: string): void
  /** Throws OperatorError `not-agreed` unless the person says yes; where nobody can be asked, always. */
  confirm(question: string): Promise<void>
}

/** stdout, stderr, and whoever sits at the keyboard; `yes` agrees beforehand. */
export function openTerminal(yes = false): Terminal {
  return {
    say: (text) => void process.stdout.write(`${text}\n`),
    tell: (text) => void process.stderr.write(`${text}\n`),
    confirm: async (question) => {
      if (!yes) await ask(question)
    },
  }
}

async function ask(question: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new OperatorError('not-agreed', `${question} Nobody can be asked: give --yes`)
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  // Ctrl-C and Ctrl-D close it, and the question would then stay open for ever.
  const closed = new AbortController()
  prompt.once('close', () => closed.abort())
  try {
    const answer = await prompt
      .question(`${question} [y/N] `, { signal: closed.signal })
      .catch((cause: unknown) => {
        if (!closed.signal.aborted) throw cause
        return ''
      })
    if (!/^y(es)?$/i.test(answer.trim())) throw new OperatorError('not-agreed', 'nothing was done')
  } finally {
    prompt.close()
  }
}

/** Foreign text with everything that a terminal would act on made visible. */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  )
}

/** Names of keys as a signer must see them: a letter that could be taken for another one shows its number. */
export function spelled(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)
}
