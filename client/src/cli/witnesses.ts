import { dim, yellow, type Line } from './output.js'

/** What a person must know who trusts a registry that nobody watches. */
export const SPLIT_VIEW = 'this registry could show different hosts different histories'

/** How much stands behind a verdict (PROTOCOL 7). */
export function witnessLine(count: number): Line {
  if (count === 0) return [yellow('no independent witness'), dim(`: ${SPLIT_VIEW}`)]
  return [dim(`${count} independent witness${count === 1 ? '' : 'es'} stood behind this`)]
}
