import { OutsideError } from '../../net/outside.js'

/** What somebody who was asked about a namespace says: it is proved (and by what), it is not, or no answer. */
export type Look =
  | { readonly is: 'present'; readonly subject: string }
  | { readonly is: 'absent'; readonly why: string }
  | { readonly is: 'unreachable'; readonly why: string }

export const absent = (why: string): Look => ({ is: 'absent', why })

/** An answer that we do not take is an answer; only silence is none. Anything else that fails is our own fault. */
export function failedLook(error: unknown): Look {
  if (!(error instanceof OutsideError)) throw error
  return { is: error.code === 'unreachable' ? 'unreachable' : 'absent', why: error.message }
}

/**
 * Asks all of them at once, and takes the first yes in their order: whoever answers for many names and stays silent at each
 * keeps nobody else waiting longer than one silence. It leaves open what would have been said, so that only everybody's
 * no is a no.
 */
export async function firstPresent(looks: readonly (() => Promise<Look>)[]): Promise<Look> {
  const found = await Promise.all(looks.map((look) => look().catch(failedLook)))
  const [last = absent('there is nobody to ask')] = found.slice(-1)
  return found.find(({ is }) => is === 'present') ?? found.find(({ is }) => is === 'unreachable') ?? last
}
