import { rulesOf } from './rules.js'
import type { Check } from './check.js'

/** Nothing was found that a person would have to override. */
export const noHeldFindings: Check = ({ findings }) => {
  const held = findings.filter((finding) => finding.held)
  return held.length === 0 ? undefined : `findings hold it: ${rulesOf(held)}`
}
