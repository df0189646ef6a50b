export {
  CountersignError,
  readBundleSize,
  verifyBundle,
  verifyRevocations,
  verifyStatus,
  type BundleExpectations,
  type VerifiedManifest,
} from 'countersign'
export { parseRevocations } from 'countersign/core'
import { CountersignError } from 'countersign'

/** The code something was refused with; undefined when it was not. Anything but a CountersignError fails the test. */
export function codeOf(run: () => unknown): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof CountersignError) return error.code
    throw error
  }
}

/** The same for what answers later. */
export async function codeOfAsync(run: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await run()
    return undefined
  } catch (error) {
    if (error instanceof CountersignError) return error.code
    throw error
  }
}
