import { lieAt, type Alert, type Documents, type Lie } from './lie.js'
import type { WatchedEvent } from './watch.js'
import { isAboutServed } from './source.js'

/** Where an audit says what it finds, in the order in which it finds it. */
export interface Findings {
  lie(lie: Lie): void
  alert(alert: Alert): void
  event(event: WatchedEvent): void
}

/** Takes one step; what was served wrongly is a lie, and the audit goes on without the step's answer. */
export async function attempt<T>(
  findings: Pick<Findings, 'lie'>,
  index: number,
  run: () => T | Promise<T>,
  documents?: () => Documents,
): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    if (!isAboutServed(error)) throw error
    findings.lie(lieAt(index, error.code, error.message, documents?.()))
    return undefined
  }
}
