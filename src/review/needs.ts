import type { Finding } from 'countersign/gates'
import { runChecks, type CheckFacts, type CheckResult } from './checks.js'
import type { AdmissionPolicy, AutoClass, ReviewClass } from './policy.js'
import { isSensitive } from './sensitivity.js'

/** What the policy asks for before this manifest is approved. */
export interface Needs {
  /** Distinct persons. */
  readonly approvals: number
  readonly class: ReviewClass
  readonly sensitive: boolean
  readonly checks: readonly CheckResult[]
  /** Rules whose findings hold it; each voter overrides them with a reason, or nobody can. */
  readonly held: readonly string[]
  readonly heldFindings: AdmissionPolicy['heldFindings']
}

/**
 * Pure: a policy, a class of change and the facts. `lapsed`: everything that the server had approved was taken back. Then
 * nothing is left to compare with, which its owner may have brought about, and it may be the worst change there is.
 */
export function needsOf(
  policy: AdmissionPolicy,
  change: ReviewClass,
  facts: CheckFacts,
  lapsed = false,
): Needs {
  const sensitive = isSensitive(policy, facts.manifest)
  const asked = [policy.approvals[change]]
  if (lapsed) asked.push(...Object.values(policy.approvals))
  if (sensitive) asked.push(policy.sensitive.approvals)
  return {
    // What does not approve itself takes a person, also where the policy asks for none.
    approvals: Math.max(1, ...asked),
    class: change,
    sensitive,
    checks: runChecks(policy.requiredChecks, facts),
    held: heldRules(facts.findings),
    heldFindings: policy.heldFindings,
  }
}

function heldRules(findings: readonly Finding[]): string[] {
  return [...new Set(findings.filter(({ held }) => held).map(({ rule }) => rule))]
}

/** The class by which it approves itself; undefined when a person must look. */
export function autoClass(policy: AdmissionPolicy, needs: Needs): AutoClass | undefined {
  const found = policy.autoApprove.find((one) => one === needs.class)
  const quiet = needs.held.length === 0 && needs.checks.every(({ holds }) => holds)
  // Sensitive servers were listed because a person should look.
  return quiet && !needs.sensitive ? found : undefined
}
