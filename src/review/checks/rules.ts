import type { Finding } from 'countersign/gates'

/** The names of the rules, each once; the gates choose them, so they are safe to print. */
export function rulesOf(findings: readonly Finding[]): string {
  return [...new Set(findings.map(({ rule }) => rule))].join(', ')
}
