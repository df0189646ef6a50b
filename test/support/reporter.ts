import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** One test that held at its second try may have met a busy machine; more have met a fault. */
const MOST_FLAKY = 2

/**
 * Closes a run with plain lines that any tool can read: the tests that held at their second try only, each by name, and
 * `tests: 12 passed, 0 failed, 1 skipped`.
 */
export default class PlainSummary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    const flaky: TestCase[] = []
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        count[test.result().state] += 1
        if (test.diagnostic()?.flaky === true) flaky.push(test)
      }
      if (module.state() === 'failed' && module.errors().length > 0) count.failed += 1
    }
    const names = flaky.map(lineOf)
    if (flaky.length > MOST_FLAKY) {
      names.push(`too many flaky tests: ${flaky.length}`)
      process.exitCode = 1
    }
    const skipped = count.skipped + count.pending
    process.stdout.write(
      `\n${[...names, `tests: ${count.passed} passed, ${count.failed} failed, ${skipped} skipped`].join('\n')}\n`,
    )
  }
}

function lineOf(test: TestCase): string {
  const [why = ''] = test.result().errors?.[0]?.message.split('\n') ?? []
  return `flaky: ${test.module.relativeModuleId} > ${test.fullName}: ${why}`
}
