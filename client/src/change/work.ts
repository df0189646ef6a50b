/**
 * A bound on the pairs and members that one comparison looks at. Reading a manifest is linear; references can make the
 * number of pairs of schemas its square, and nobody writes such schemas but to keep a reviewer busy.
 */
export interface Work {
  /** Takes so many steps; false when there are none left, for the rest of the comparison. */
  spend(steps: number): boolean
  readonly spent: number
}

/** A list of 2 MB, the largest seen, takes a tenth of it. */
export const MAX_STEPS = 2_000_000

export function openWork(limit = MAX_STEPS): Work {
  let spent = 0
  return {
    spend: (steps) => {
      spent = Math.min(limit + 1, spent + steps)
      return spent <= limit
    },
    get spent() {
      return spent
    },
  }
}
