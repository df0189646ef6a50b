import type { Check, CheckFacts } from './checks/check.js'
import { namespaceProved } from './checks/namespace-proved.js'
import { noHeldFindings } from './checks/no-held-findings.js'
import { noHighFindings } from './checks/no-high-findings.js'
import { packagesPinned } from './checks/packages-pinned.js'

export type { CheckFacts } from './checks/check.js'

/** The checks that a policy can require, one a file. */
export const CHECKS = {
  'packages-pinned': packagesPinned,
  'namespace-proved': namespaceProved,
  'no-high-findings': noHighFindings,
  'no-held-findings': noHeldFindings,
} as const satisfies Record<string, Check>

export type CheckName = keyof typeof CHECKS

export const CHECK_NAMES = Object.keys(CHECKS) as readonly CheckName[]

export interface CheckResult {
  readonly check: CheckName
  readonly holds: boolean
  /** Why it does not. */
  readonly why?: string
}

export function runChecks(required: readonly CheckName[], facts: CheckFacts): CheckResult[] {
  return required.map((check) => {
    const why = CHECKS[check](facts)
    return why === undefined ? { check, holds: true } : { check, holds: false, why }
  })
}
