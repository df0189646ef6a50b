import { HttpProblem } from '../problems.js'

/** How many streams may be open. */
export interface Seats {
  /** Takes one, or refuses; what it returns gives it back, once. */
  take(address: string): () => void
}

export function openSeats({ all, each }: { readonly all: number; readonly each: number }): Seats {
  const taken = new Map<string, number>()
  let total = 0
  const add = (address: string, one: 1 | -1): void => {
    const own = (taken.get(address) ?? 0) + one
    total += one
    if (own === 0) taken.delete(address)
    else taken.set(address, own)
  }
  return {
    take(address) {
      if ((taken.get(address) ?? 0) >= each) {
        throw new HttpProblem('rate-limited', 'too many streams of this address', { 'Retry-After': '30' })
      }
      if (total >= all) {
        throw new HttpProblem('unavailable', 'too many streams are open', { 'Retry-After': '30' })
      }
      add(address, 1)
      let left = false
      return () => {
        if (!left) add(address, -1)
        left = true
      }
    },
  }
}
