/**
 * A bound on the pairs and members that one comparison looks at. Reading a manifest is linear; references can make the
 * number of pairs of schemas its square, and nobody writes such schemas but to keep a reviewer busy.
 */
export interface Work {
  /** Takes so many steps; false when there are none left, for the rest of the comparison. */
  spend(steps: number): boolean
  readonly spent: number
}

/** A manifest of 4 MiB in which every parameter changed takes nine tenths of it; no real step takes a hundredth. */
export const MAX_STEPS = 600_000

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
