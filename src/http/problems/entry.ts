/** One code of the catalogue: what it means to who meets it, and what to do about it. */
export interface ProblemEntry {
  readonly status: number
  readonly meaning: string
  readonly remedy: string
}

export function problem(status: number, meaning: string, remedy: string): ProblemEntry {
  return { status, meaning, remedy }
}
