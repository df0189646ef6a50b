import { OutsideError } from '../net/outside.js'

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
 * Asks one after the other until one says yes. Silence of one leaves open what it would have said, so that only
 * everybody's no is a no.
 */
export async function firstPresent(looks: readonly (() => Promise<Look>)[]): Promise<Look> {
  let result: Look = absent('there is nobody to ask')
  for (const look of looks) {
    const found = await look().catch(failedLook)
    if (found.is === 'present') return found
    if (result.is !== 'unreachable') result = found
  }
  return result
}
