import type { Permission } from '../core/index.js'
import type { Path } from '../gates/walk.js'
import { named, type Ledger } from './ledger.js'
import { placeAt } from './places.js'

/** The OAuth scopes of a tool: one more that it demands is dangerous, one that it can do without widens. */
export function comparePermissions(
  before: readonly Permission[],
  after: readonly Permission[],
  path: Readonly<Path>,
  { note }: Ledger,
): void {
  const [a, b] = [byScope(before), byScope(after)]
  for (const [scope, { required, reasons, at }] of b) {
    const old = a.get(scope)
    const place = placeAt(true, [...path, at])
    if (old === undefined) {
      const text = `the scope ${named(scope)} is new${required ? ' and required' : ''}`
      note('scope-added', required ? 'dangerous' : 'widened', place, () => ({ text, after: scope }))
    } else if (old.required !== required) {
      const text = `the scope ${named(scope)} is ${required ? 'required now' : 'no longer required'}`
      note(
        required ? 'scope-required' : 'scope-optional',
        required ? 'dangerous' : 'narrowed',
        place,
        () => ({ text }),
      )
    }
    if (old !== undefined && old.reasons !== reasons) {
      const words = {
        text: `the reason for the scope ${named(scope)} is another one`,
        before: old.reasons,
        after: reasons,
      }
      note('text', 'text', place, () => words)
    }
  }
  for (const [scope, { at }] of a) {
    if (b.has(scope)) continue
    note('scope-removed', 'narrowed', placeAt(false, [...path, at]), () => ({
      text: `the scope ${named(scope)} is gone`,
      before: scope,
    }))
  }
}

interface Asked {
  readonly required: boolean
  readonly reasons: string
  readonly at: number
}

/** A scope that stands twice is required if one of the two says so. */
function byScope(permissions: readonly Permission[]): Map<string, Asked> {
  const found = new Map<string, Asked>()
  for (const [at, { scope, required, reason }] of permissions.entries()) {
    const old = found.get(scope)
    found.set(scope, {
      required: required || old?.required === true,
      reasons: old === undefined ? reason : `${old.reasons}\n${reason}`,
      at: old?.at ?? at,
    })
  }
  return found
}
