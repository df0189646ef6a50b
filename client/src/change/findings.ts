import type { Finding } from '../gates/finding.js'
import { pointerOf } from '../gates/walk.js'
import type { Place } from './places.js'

const GRAVE: ReadonlySet<string> = new Set(['medium', 'high'])

/**
 * Whether a finding of medium weight or more points at a place, into it, or at something around it: a rule about
 * twins names the object that holds them, and a finding that stands for "and more of this kind" names the whole.
 */
export function pointsInto(findings: readonly Finding[]): (place: Place) => boolean {
  const exact = new Set(findings.filter(({ severity }) => GRAVE.has(severity)).map(({ pointer }) => pointer))
  if (exact.size === 0) return () => false
  const around = new Set([...exact].flatMap(ancestors))
  return (place) => {
    // Finding and place are cut at the same length, so that both name the same ancestor.
    const pointer = pointerOf(place.doc.pathOf(place))
    return around.has(pointer) || ancestors(pointer).some((ancestor) => exact.has(ancestor))
  }
}

/** The pointer itself, and those of everything around it. */
function ancestors(pointer: string): string[] {
  const all = [pointer]
  for (let at = pointer.lastIndexOf('/'); at >= 0; at = pointer.lastIndexOf('/', at - 1)) {
    all.push(pointer.slice(0, at))
    if (at === 0) break
  }
  return all
}
