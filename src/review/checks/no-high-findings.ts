import { rulesOf } from './rules.js'
import type { Check } from './check.js'

/** Nothing was found that makes one expect malice, overridden or not. */
export const noHighFindings: Check = ({ findings }) => {
  const high = findings.filter(({ severity }) => severity === 'high')
  return high.length === 0 ? undefined : `findings of high severity: ${rulesOf(high)}`
}
