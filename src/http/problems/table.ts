import { AUTH_PROBLEMS } from './auth.js'
import type { ProblemEntry } from './entry.js'
import { FORMAT_PROBLEMS, GATE_PROBLEMS } from './format.js'
import { HTTP_PROBLEMS } from './http.js'
import { REFUSALS } from './log.js'

/** THE CATALOGUE of every code that an answer can have: what decides its status is what is written down about it. */
export const PROBLEMS: Readonly<Record<string, ProblemEntry>> = {
  ...HTTP_PROBLEMS,
  ...AUTH_PROBLEMS,
  ...GATE_PROBLEMS,
  ...FORMAT_PROBLEMS,
  ...REFUSALS,
}

/** In the order of statuses, then of names. */
export function problemsByStatus(): readonly (ProblemEntry & { readonly code: string })[] {
  return Object.entries(PROBLEMS)
    .map(([code, entry]) => ({ code, ...entry }))
    .toSorted((a, b) => a.status - b.status || (a.code < b.code ? -1 : 1))
}

export function codesOf(status: number): readonly string[] {
  return problemsByStatus()
    .filter((entry) => entry.status === status)
    .map(({ code }) => code)
}
