/** Steps that one check may take: about a second of work on a slow machine, and far more than honest values need. */
export const MAX_STEPS = 20_000_000

/** A schema applied to a value is at most all of the one for each part of the other; beyond this it is not begun. */
export const MAX_PRODUCT = 200_000_000

/** The check takes longer than a guard waits. */
export class OverBudget extends Error {
  override readonly name = 'OverBudget'
}

/** What one check has left. Checks are synchronous, so one budget is enough for all of them. */
export class Budget {
  #left = 0

  refill(): void {
    this.#left = MAX_STEPS
  }

  /** @throws OverBudget */
  spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new OverBudget()
  }
}

/** How many values there are in a value, itself included; stops counting behind `most`. Without recursion. */
export function countNodes(value: unknown, most: number): number {
  let count = 0
  const stack: unknown[] = [value]
  while (stack.length > 0 && count <= most) {
    const one = stack.pop()
    count++
    if (typeof one !== 'object' || one === null) continue
    const inner: unknown[] = Array.isArray(one) ? (one as unknown[]) : Object.values(one)
    if (count + inner.length > most) return most + 1
    for (const each of inner) stack.push(each)
  }
  return count
}

/** What a schema costs to compile depends on. */
export interface SchemaSize {
  readonly objects: number
  /** Objects that refer to another schema. */
  readonly references: number
  /** Members of all `properties` together. */
  readonly names: number
  /** `unevaluatedProperties` or `unevaluatedItems` stands somewhere: what was evaluated must be known everywhere. */
  readonly tracks: boolean
}

const REFERENCE = /^\$(?:ref|dynamicRef|recursiveRef)$/

/** What stands in a parsed text, schema or data, counts. Without recursion. */
export function measureSchema(schema: unknown): SchemaSize {
  const size = { objects: 0, references: 0, names: 0, tracks: false }
  const stack: unknown[] = [schema]
  while (stack.length > 0) {
    const one = stack.pop()
    if (typeof one !== 'object' || one === null) continue
    for (const each of Object.values(one) as unknown[]) stack.push(each)
    if (Array.isArray(one)) continue
    const keywords = Object.keys(one)
    size.objects++
    if (keywords.some((keyword) => REFERENCE.test(keyword))) size.references++
    if (keywords.some((keyword) => keyword.startsWith('unevaluated'))) size.tracks = true
    const { properties } = one as { readonly properties?: unknown }
    if (typeof properties === 'object' && properties !== null) size.names += Object.keys(properties).length
  }
  return size
}
