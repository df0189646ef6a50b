import { createHash } from 'node:crypto'
import type { Comparison } from 'countersign/change'
import type { Finding } from 'countersign/gates'
import type { Judge, Side } from '../judge/judge.js'

/** A comparison has at most 300 changes with their texts shortened: all of them together stay within some ten MiB. */
const KEPT = 256

/**
 * Two manifests of four MiB take two seconds, and each is compared when it is published, shown and voted for. What was compared is the same for ever, so the latest comparisons are kept by digests.
 */
const kept = new Map<string, Comparison>()

/** Undefined when one of them has no envelope. */
export async function compareOnce(
  judge: Judge,
  [before, after]: readonly [Side, Side],
  findings: readonly Finding[],
): Promise<Comparison | undefined> {
  const name = nameOf(before, after, findings)
  const known = kept.get(name) ?? (await judge.compare(before, after, findings))
  if (known === undefined) return undefined
  kept.delete(name)
  kept.set(name, known)
  const [oldest] = kept.keys()
  if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest)
  return known
}

/** Whether it is kept: answering again costs nothing. */
export function isCompared(
  before: Pick<Side, 'digest'>,
  after: Pick<Side, 'digest'>,
  findings: readonly Finding[],
): boolean {
  return kept.has(nameOf(before, after, findings))
}

/** Findings are an argument: later ones make another comparison. */
function nameOf(
  before: Pick<Side, 'digest'>,
  after: Pick<Side, 'digest'>,
  findings: readonly Finding[],
): string {
  const judged = createHash('sha256').update(JSON.stringify(findings)).digest('base64')
  return `${before.digest} ${after.digest} ${judged}`
}
